//! The parsers of pages, shell text and configuration, and the results of the checks.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use camino::Utf8Path;

use super::markdown::Page;
use super::{configuration, fragments, lines, links, problems, shell};
use wheel_build::own::{CONFIG_EXAMPLES, CONFIG_SCHEMA, command_line};

#[test]
fn the_reader_finds_anchors_links_code_and_fences() {
    let page = Page::read(
        "# One `two`, three!\n\n## A-b_c\n\n## A-b_c\n\n[x](y.md#z) `cargo xtask plan`\n\n\
         <a id=\"own\"></a>\n<img src=\"a.png\">\n\n```sh status=1\nx\ny\n```\n",
    );
    let anchors: Vec<_> = page.anchors.iter().map(String::as_str).collect();
    assert_eq!(anchors, ["a-b_c", "a-b_c-1", "one-two-three", "own"]);
    assert_eq!(page.links, [(7, "y.md#z".to_owned()), (10, "a.png".to_owned())]);
    assert!(page.code.contains(&(7, "cargo xtask plan".to_owned())));
    let fence = &page.fences[0];
    assert_eq!((fence.line, fence.language(), &*fence.text), (13, "sh", "x\ny\n"));
}

#[test]
fn text_in_a_script_is_no_command() {
    let text = "cat >>a <<'END'\nit's no command\nEND\ncargo xtask plan\n";
    let found: Vec<_> =
        shell::commands(text).into_iter().map(|it| (it.line, it.words.join(" "))).collect();
    assert_eq!(found, [(0, "cat".to_owned()), (3, "cargo xtask plan".to_owned())]);
}

#[test]
fn shell_text_is_split_into_simple_commands() {
    let text = "# no command\nA=b cargo xtask \\\n  try 'a b' # comment\nx | y >z 2>&1 && \"$(p q)\"; w &\n";
    let found: Vec<_> =
        shell::commands(text).into_iter().map(|it| (it.line, it.words.join("|"))).collect();
    let expected =
        [(1, "cargo|xtask|try|a b"), (3, "x"), (3, "y"), (3, "p|q"), (3, "$(p q)"), (3, "w")];
    assert_eq!(found, expected.map(|(line, words)| (line, words.to_owned())));
}

/// The lines of `page` with command lines that clap rejects.
fn refused(page: &str) -> Vec<usize> {
    let tool = command_line::<crate::Developer>();
    let found = lines::problems(&tool, Utf8Path::new("a.md"), &Page::read(page));
    found.into_iter().map(|problem| problem.line).collect()
}

#[test]
fn clap_parses_the_command_lines_of_fences_and_of_sentences() {
    assert!(
        refused(
            "`cargo xtask init PATH --check`, `cargo xtask release`, `cargo xtask rules [CODE]`"
        )
        .is_empty()
    );
    assert_eq!(refused("a\n`cargo xtask no-such-command`"), [2]);
    assert_eq!(refused("```sh\ncargo xtask plan\ncargo xtask plan --no-such-option\n```"), [3]);
    assert_eq!(refused("```sh\nwheel-audit verify x.whl && wheel-audit build\n```"), [2]);
    // A sentence may omit arguments that a script requires.
    assert_eq!(refused("```sh\ncargo xtask try\n```"), [2]);
    for before in ["if ", "! ", "sudo ", "A=$(", "echo \"$(", "x | while "] {
        assert_eq!(refused(&format!("```sh\n{before}cargo xtask none)\n```")), [2], "{before}");
    }
    // The shell expands the value.
    assert!(refused("```sh\ncargo xtask init P --tool \"git=$(git config x)#$Y\"\n```").is_empty());
    assert_eq!(refused("```sh\ncargo xtask init P --tool none\n```"), [2]);
    assert!(refused("```text\ncargo xtask no-such-command\n```").is_empty());
    let console = "```console\n$ cargo xtask plan\nit's cargo xtask none\n$ cargo xtask none\n```";
    assert_eq!(refused(console), [4]);
}

#[test]
fn the_parser_of_the_tool_reads_fragments_of_configuration() {
    let wrong = |text: &str| {
        let page = Page::read(&format!("```toml\n{text}\n```"));
        fragments::problems(Utf8Path::new("a.md"), &page).len()
    };
    for good in [
        "[check]\nimports = [\"demo\"]",
        "[[target]]\nname = \"debian12\"\nsnapshot = \"2026-11-01\"",
        "[source]\nsdist = \"demo==1.0\"\nsha256 = \"6c69fca89106567060941c5568e67a5369738813d883db4e3d62b76f0a2c497e\"",
    ] {
        assert_eq!(wrong(good), 0, "{good}");
    }
    for bad in [
        "[check]\nno-such-key = 1",
        "[project]\nname = \"demo\"",
        "[check",
        "[ci]\ntargets = [\"none\"]",
    ] {
        assert_eq!(wrong(bad), 1, "{bad}");
    }
    let page = Page::read("```toml file=pyproject.toml\n[project]\nname = \"demo\"\n```");
    assert!(fragments::problems(Utf8Path::new("a.md"), &page).is_empty());
}

#[test]
fn pages_are_found_in_lines_of_source() {
    let line = "see docs/a.md#b-c. `docs/d/e.md`, https://h.example/docs/f.md, docs/g.txt";
    assert_eq!(links::mentions(line).collect::<Vec<_>>(), ["docs/a.md#b-c", "docs/d/e.md"]);
}

#[test]
fn each_key_has_a_description_a_default_and_an_example() {
    let (page, lacking) = configuration::page(CONFIG_SCHEMA, &CONFIG_EXAMPLES).unwrap();
    assert!(lacking.is_empty(), "{lacking:?}");
    assert!(page.contains("### [check] isa\n") && page.contains("### [[target]] digest\n"));
}

#[test]
fn each_kind_of_problem_is_reported_with_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let root = Utf8Path::from_path(dir.path()).unwrap();
    super::write(root).unwrap();
    let pages =
        ["checks", "commands", "configuration", "own"].map(|it| format!("- [{it}]({it}.md)\n"));
    fs_err::write(root.join("docs/SUMMARY.md"), pages.concat()).unwrap();
    let own = "# Own\n\n[a](commands.md#cargo-xtask-wheels) [b](own.md)\n";
    fs_err::write(root.join("docs/own.md"), own).unwrap();
    fs_err::write(root.join("README.md"), "# Top\n[a](docs/own.md#own)\n").unwrap();
    assert_eq!(problems(root).unwrap(), []);
    let wrong = "# Own\n[a](none.md)\n[b](commands.md#none)\n[c](../../x.md)\n[c](../README.md)\n[d](#none)\n[e][none] [e]\n\
        ```\nx\n```\n```bash\nx\n```\n";
    fs_err::write(root.join("docs/own.md"), wrong).unwrap();
    fs_err::write(root.join("docs/unlisted.md"), "# Unlisted\n").unwrap();
    fs_err::write(root.join("docs/checks.md"), "# Stale\n").unwrap();
    let found = problems(root).unwrap();
    let places: Vec<_> = found.iter().map(|it| format!("{}:{}", it.file, it.line)).collect();
    let own = [2, 3, 4, 5, 6, 7, 8, 11].map(|line| format!("docs/own.md:{line}"));
    let first = ["docs/checks.md:1".to_owned()];
    assert_eq!(places, [&first, &own[..], &["docs/unlisted.md:0".to_owned()]].concat());
    assert_eq!(found[0].message, super::OUT_OF_DATE);
    assert_eq!(super::first_difference("a\nb", "a\nb\n"), Some(3));
    assert_eq!(super::first_difference("a\nb\n", "a\r\nb\n"), Some(1));
}
