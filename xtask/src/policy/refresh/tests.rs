#![expect(clippy::unwrap_used, reason = "a test may stop at once")]

use serde_json::{Value, json};

use super::*;

const MANYLINUX: &str = include_str!("../../../crates/wheel-audit/src/policy/data/manylinux.toml");
const MUSLLINUX: &str = include_str!("../../../crates/wheel-audit/src/policy/data/musllinux.toml");

fn data(family: Family) -> &'static str {
    match family {
        Family::Manylinux => MANYLINUX,
        Family::Musllinux => MUSLLINUX,
    }
}

/// The project's own facts, in auditwheel's format.
fn as_published(family: Family) -> Value {
    let policy = |(version, policy): (LibcVersion, Policy)| {
        json!({
            "name": format!("{}_{}_{}", family.word(), version.major, version.minor),
            "aliases": policy.aliases,
            "priority": 100,
            "symbol_versions": policy.versions,
            "lib_whitelist": policy.libraries,
            "blacklist": policy.forbidden,
        })
    };
    let linux = json!({"name": "linux", "aliases": [], "priority": 0, "symbol_versions": {},
        "lib_whitelist": [], "blacklist": {}});
    let all = copy(family, data(family)).unwrap().into_iter().map(policy);
    Value::Array([linux].into_iter().chain(all).collect())
}

fn read(family: Family, value: &Value) -> Result<Facts, RefreshError> {
    published(family, value.to_string().as_bytes())
}

/// The differences of the copy from a published list, one per line.
fn difference_lines(value: &Value) -> Vec<String> {
    let theirs = read(Family::Manylinux, value).unwrap();
    let ours = copy(Family::Manylinux, MANYLINUX).unwrap();
    let line = |each: Difference| {
        format!(
            "{} {:?} {}: -{:?} +{:?}",
            each.policy, each.kind, each.of, each.lacking, each.beyond
        )
    };
    differences(Family::Manylinux, &theirs, &ours).into_iter().map(line).collect()
}

#[test]
fn the_copy_equals_itself() {
    for family in Family::ALL {
        let theirs = read(family, &as_published(family)).unwrap();
        assert_eq!(differences(family, &theirs, &copy(family, data(family)).unwrap()), []);
    }
}

#[test]
fn a_new_tag_and_its_additions_are_reported() {
    let mut list = as_published(Family::Manylinux);
    let mut newer = list.as_array().unwrap().last().unwrap().clone();
    newer["name"] = "manylinux_2_42".into();
    newer["symbol_versions"]["x86_64"]["GLIBC"].as_array_mut().unwrap().push("2.42".into());
    newer["lib_whitelist"].as_array_mut().unwrap().push("libnew.so.1".into());
    list.as_array_mut().unwrap().push(newer);
    assert_eq!(
        difference_lines(&list),
        [
            "manylinux_2_42 Tag : -[\"manylinux_2_42\"] +[]",
            "manylinux_2_42 Library : -[\"libnew.so.1\"] +[]",
            "manylinux_2_42 Version x86_64 GLIBC: -[\"2.42\"] +[]",
        ]
    );
}

#[test]
fn every_kind_of_difference_is_reported() {
    let mut list = as_published(Family::Manylinux);
    let last = list.as_array_mut().unwrap().last_mut().unwrap();
    last["aliases"] = json!(["manylinux2041"]);
    last["symbol_versions"]["mips64"] = json!({"GLIBC": ["2.41"]});
    last["symbol_versions"]["aarch64"]["ZLIB"].as_array_mut().unwrap().push("1.3".into());
    last["lib_whitelist"].as_array_mut().unwrap().retain(|each| each != "libz.so.1");
    last["blacklist"]["libz.so.1"].as_array_mut().unwrap().push("zfree".into());
    assert_eq!(
        difference_lines(&list),
        [
            "manylinux_2_41 Alias : -[\"manylinux2041\"] +[]",
            "manylinux_2_41 Library : -[] +[\"libz.so.1\"]",
            "manylinux_2_41 Architecture : -[\"mips64\"] +[]",
            "manylinux_2_41 Version aarch64 ZLIB: -[\"1.3\"] +[]",
            "manylinux_2_41 Version mips64 GLIBC: -[\"2.41\"] +[]",
            "manylinux_2_41 Symbol libz.so.1: -[\"zfree\"] +[]",
        ]
    );
    let mut older = as_published(Family::Manylinux);
    older.as_array_mut().unwrap().pop();
    assert_eq!(difference_lines(&older)[0], "manylinux_2_41 Tag : -[] +[\"manylinux_2_41\"]");
}

#[test]
fn an_architecture_without_a_later_policy_keeps_its_versions() {
    let mut list = as_published(Family::Manylinux);
    for policy in list.as_array_mut().unwrap() {
        if !["linux", "manylinux_2_17"].contains(&policy["name"].as_str().unwrap()) {
            policy["symbol_versions"].as_object_mut().unwrap().remove("ppc64");
        }
    }
    assert_eq!(difference_lines(&list), Vec::<String>::new());
}

#[test]
fn written_policies_are_read_back_unchanged() {
    for family in Family::ALL {
        let mut list = as_published(family);
        let mut newer = list.as_array().unwrap().last().unwrap().clone();
        newer["name"] = format!("{}_3_1", family.word()).into();
        newer["symbol_versions"]["x86_64"]["GLIBC"] =
            json!(["2.2.5", "2.10", "2.9", "3.0", "ABI_NEW"]);
        if let Some(all) = list[16]["symbol_versions"]["x86_64"]["GLIBC"].as_array() {
            let new = newer["symbol_versions"]["x86_64"]["GLIBC"].as_array_mut().unwrap();
            new.extend(all.iter().cloned());
        }
        newer["blacklist"] = json!({});
        list.as_array_mut().unwrap().push(newer);
        let facts = read(family, &list).unwrap();
        let text = data_file(family, &facts, "9.9.9", data(family)).unwrap();
        assert_eq!(copy(family, &text).unwrap(), facts, "{text}");
        assert!(
            text.contains("source = \"auditwheel 9.9.9\"") && !text.contains("6.8"),
            "{text:.900}"
        );
        assert!(
            text.contains("\"2.9\", \"2.10\"") || family == Family::Manylinux,
            "in their order"
        );
        let keys = |text: &str| text.lines().filter(|line| line.starts_with("built_in")).count();
        assert_eq!(keys(&text), keys(data(family)), "keys before the policies are kept");
        assert!(text.lines().all(|line| line.len() <= 120), "{text}");
    }
}

#[test]
fn policies_that_the_format_cannot_express_are_rejected() {
    let write = |change: &dyn Fn(&mut Value)| {
        let mut list = as_published(Family::Manylinux);
        change(list.as_array_mut().unwrap().last_mut().unwrap());
        let facts = read(Family::Manylinux, &list).unwrap();
        data_file(Family::Manylinux, &facts, "1", MANYLINUX).unwrap_err().to_string()
    };
    let library = write(&|last| last["lib_whitelist"] = json!([]));
    assert!(library.contains("`manylinux_2_41`") && library.contains("library"), "{library}");
    let version = write(&|last| last["symbol_versions"]["x86_64"]["GLIBC"] = json!(["2.41"]));
    assert!(version.contains("`GLIBC_2.10` on x86_64"), "{version}");
    let arch = write(&|last| last["symbol_versions"]["mips64"] = json!({}));
    assert!(arch.contains("`mips64`"), "{arch}");
    let again = write(&|last| last["blacklist"]["libz.so.1"] = json!(["uncompress2"]));
    assert!(again.contains("`uncompress2` of `libz.so.1`"), "{again}");
}

#[test]
fn arbitrary_bytes_are_rejected() {
    let whole = as_published(Family::Manylinux).to_string();
    let named = |from: &str, to: &str| whole.replacen(from, to, 1);
    for text in [
        String::new(),
        "[]".into(),
        "{}".into(),
        "[".repeat(100_000),
        whole[..whole.len() / 2].to_owned(),
        named("manylinux_2_17", "manylinux_2"),
        named("manylinux_2_17", "manylinux_2_5"),
        named("manylinux_2_17", "musllinux_1_1"),
        named("libm.so.6", "lib\\\"m"),
        named("libm.so.6", "a\\n[[policy]]"),
        named("x86_64", "x86 64"),
        named("\"2.3.4\"", "3"),
    ] {
        assert!(published(Family::Manylinux, text.as_bytes()).is_err(), "{text:.80}");
    }
    let large = vec![b' '; usize::try_from(MAX_POLICY).unwrap() + 1];
    assert!(published(Family::Manylinux, &large).is_err());
    assert!(copy(Family::Manylinux, "source = 1").is_err());
}

#[test]
fn a_prefix_of_versions_may_contain_every_valid_character() {
    let mut value = as_published(Family::Manylinux);
    value[1]["symbol_versions"]["x86_64"]["A.b+c@D-e_1"] = json!(["1.0"]);
    for policy in value.as_array_mut().unwrap().iter_mut().skip(2) {
        policy["symbol_versions"]["x86_64"]["A.b+c@D-e_1"] = json!(["1.0"]);
    }
    let facts = read(Family::Manylinux, &value).unwrap();
    let text = data_file(Family::Manylinux, &facts, "1", "").unwrap();
    assert_eq!(copy(Family::Manylinux, &text).unwrap(), facts);
}
