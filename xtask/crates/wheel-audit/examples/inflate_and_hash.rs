//! The lower bound for reading wheels: inflates and hashes every member of every wheel in a folder, with the fastest
//! libraries, on one core. `xtask/agreement/agreement.py speed` compares `verify` with it.

#![expect(clippy::print_stdout, clippy::expect_used, reason = "a measuring tool for developers")]

use std::io::Read as _;

use libdeflater::Decompressor;
use sha2::{Digest as _, Sha256};
use zip::{CompressionMethod, ZipArchive};

fn main() {
    let folder = std::env::args().nth(1).expect("the folder of the wheels");
    let (mut wheels, mut members, mut total) = (0_u32, 0_u32, 0_u64);
    let (mut packed, mut bytes) = (Vec::new(), Vec::new());
    let mut inflater = Decompressor::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("a readable folder").path();
        if path.extension().is_none_or(|extension| extension != "whl") {
            continue;
        }
        wheels += 1;
        let file = std::fs::File::open(&path).expect("a readable file");
        let mut archive = ZipArchive::new(std::io::BufReader::new(file)).expect("a wheel");
        for index in 0..archive.len() {
            let mut member = archive.by_index_raw(index).expect("a member");
            let (size, method) = (member.size(), member.compression());
            packed.clear();
            member.read_to_end(&mut packed).expect("its bytes");
            let content = if method == CompressionMethod::Stored {
                &packed
            } else {
                bytes.resize(usize::try_from(size).expect("it fits into memory"), 0);
                inflater.deflate_decompress(&packed, &mut bytes).expect("deflated bytes");
                &bytes
            };
            std::hint::black_box(Sha256::digest(content));
            members += 1;
            total += size;
        }
    }
    println!("{wheels} wheels, {members} members, {total} bytes");
}
