//! The foreign programs that the kernel runs with an emulator.

use std::collections::{BTreeMap, BTreeSet};

use camino::Utf8PathBuf;

use super::machine::Machine;

/// Where the kernel lists its emulators.
pub(crate) const MOUNT: &str = "/proc/sys/fs/binfmt_misc";

/// An architecture that can be emulated.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Arch {
    /// Its name in container platforms.
    pub name: &'static str,
    /// Its name in QEMU.
    pub qemu: &'static str,
    /// Its ELF files.
    elf: Elf,
}

/// The header fields that identify an architecture: `EI_CLASS` (1 for 32 bits, 2 for 64) and
/// `e_machine`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Elf(u8, u16);

/// The architectures that wheels are built for (`elf.h`, `EM_*`).
const ARCHES: [Arch; 7] = [
    Arch { name: "amd64", qemu: "x86_64", elf: Elf(2, 62) },
    Arch { name: "arm64", qemu: "aarch64", elf: Elf(2, 183) },
    Arch { name: "386", qemu: "i386", elf: Elf(1, 3) },
    Arch { name: "arm", qemu: "arm", elf: Elf(1, 40) },
    Arch { name: "ppc64le", qemu: "ppc64le", elf: Elf(2, 21) },
    Arch { name: "riscv64", qemu: "riscv64", elf: Elf(2, 243) },
    Arch { name: "s390x", qemu: "s390x", elf: Elf(2, 22) },
];

impl Arch {
    /// The architecture with the container platform name `name`.
    pub(crate) fn find(name: &str) -> Option<&'static Self> {
        ARCHES.iter().find(|arch| arch.name == name)
    }

    /// Every architecture.
    pub(crate) fn all() -> impl Iterator<Item = &'static Self> {
        ARCHES.iter()
    }

    /// Every architecture's name.
    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        ARCHES.iter().map(|arch| arch.name)
    }

    /// Returns whether a machine of the architecture `host` runs its programs natively. The name does not show whether an
    /// arm64 also runs arm.
    pub(crate) fn is_native(&self, host: &str) -> bool {
        self.name == host || (host == "amd64" && self.name == "386")
    }

    /// The name of the registration by the distribution's emulator.
    pub(crate) fn registration(&self) -> String {
        format!("/usr/lib/binfmt.d/qemu-{}.conf", self.qemu)
    }
}

/// The state of emulation on a machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Binfmt {
    /// True if the kernel's list is mounted and readable.
    pub mounted: bool,
    /// The active emulator for each architecture.
    pub handlers: BTreeMap<&'static str, Handler>,
    /// The architectures with an installed emulator, registered or not.
    pub installed: BTreeSet<&'static str>,
}

impl Binfmt {
    /// Returns whether containers can run programs of `arch`.
    pub(crate) fn runs(&self, arch: &str) -> bool {
        self.handlers.get(arch).is_some_and(Handler::works)
    }
}

/// A registered emulator.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Handler {
    /// The name of its registration, such as `qemu-aarch64`.
    pub name: String,
    /// Its path.
    pub interpreter: String,
    /// True if it is enabled.
    pub enabled: bool,
    /// True if the kernel keeps it open (flag `F`). Otherwise it is missing inside containers.
    pub fixed: bool,
    elf: Elf,
}

impl Handler {
    /// Returns whether containers can use it.
    pub(crate) fn works(&self) -> bool {
        self.enabled && self.fixed
    }

    /// Parses an entry of [`MOUNT`]; `None` if it is not for ELF files of one machine.
    fn parse(text: &str) -> Option<Self> {
        let mut handler = Self { enabled: text.lines().next()? == "enabled", ..Self::default() };
        let mut offset_is_zero = false;
        for line in text.lines() {
            match line.split_once(' ') {
                Some(("interpreter", path)) => path.clone_into(&mut handler.interpreter),
                Some(("flags:", flags)) => handler.fixed = flags.contains('F'),
                Some(("offset", offset)) => offset_is_zero = offset == "0",
                Some(("magic", magic)) => handler.elf = elf(magic)?,
                _ => {}
            }
        }
        (offset_is_zero && handler.elf != Elf::default()).then_some(handler)
    }
}

/// Parses the hexadecimal start of an ELF file.
fn elf(magic: &str) -> Option<Elf> {
    let byte = |at: usize| u8::from_str_radix(magic.get(at * 2..at * 2 + 2)?, 16).ok();
    if !magic.starts_with("7f454c46") {
        return None;
    }
    let pair = [byte(18)?, byte(19)?];
    let machine = if byte(5)? == 2 { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) };
    Some(Elf(byte(4)?, machine))
}

/// All emulators registered in the kernel of `host`, sorted by name.
pub(crate) fn handlers(host: &Machine) -> Vec<(&'static Arch, Handler)> {
    let read = |path: Utf8PathBuf| {
        let handler = Handler::parse(&fs_err::read_to_string(&path).ok()?)?;
        let arch = ARCHES.iter().find(|arch| arch.elf == handler.elf)?;
        Some((arch, Handler { name: path.file_name()?.to_owned(), ..handler }))
    };
    host.files_in(MOUNT).into_iter().filter_map(read).collect()
}

/// The emulation state of `host`.
pub(crate) fn read(host: &Machine) -> Binfmt {
    let mut best: BTreeMap<&'static str, Handler> = BTreeMap::new();
    for (arch, handler) in handlers(host) {
        let known = best.entry(arch.name).or_default();
        if !known.works() {
            *known = handler;
        }
    }
    let installed = ARCHES.iter().filter(|arch| host.has(&arch.registration()));
    Binfmt {
        mounted: host.has(&format!("{MOUNT}/status")),
        handlers: best,
        installed: installed.map(|arch| arch.name).collect(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    const ARM64: &str = "enabled\ninterpreter /usr/libexec/qemu-binfmt/aarch64-binfmt-P\n\
        flags: POF\noffset 0\nmagic 7f454c460201010000000000000000000200b700\n\
        mask ffffffffffffff00fffffffffffffffffeffffff\n";

    #[test]
    fn a_handler_is_recognised_by_its_magic_and_not_by_its_name() {
        let handler = Handler::parse(ARM64).unwrap();
        assert_eq!(handler.elf, Elf(2, 183));
        assert!(handler.works());
        let s390x = ARM64.replace("0201010000", "0202010000").replace("0200b700", "00020016");
        assert_eq!(Handler::parse(&s390x).unwrap().elf, Elf(2, 22));
        let arm = ARM64.replace("0201010000", "0101010000").replace("b700", "2800");
        assert_eq!(Handler::parse(&arm).unwrap().elf, Elf(1, 40));
        let python =
            "enabled\ninterpreter /usr/bin/python3.11\nflags: \noffset 0\nmagic a70d0d0a\n";
        assert_eq!(Handler::parse(python), None);
        assert_eq!(Handler::parse("enabled\n"), None);
    }

    #[test]
    fn a_handler_must_be_enabled_and_kept_open_for_containers() {
        assert!(!Handler::parse(&ARM64.replace("enabled", "disabled")).unwrap().works());
        assert!(!Handler::parse(&ARM64.replace("POF", "PO")).unwrap().works());
    }
}
