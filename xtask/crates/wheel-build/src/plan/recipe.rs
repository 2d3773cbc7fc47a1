//! Reads the inputs of a stage from the Dockerfile itself. Their hash shows whether an image of the stage is up to
//! date.

use std::collections::BTreeSet;

/// The inputs of a stage, its parent stages, and the stages it copies from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Recipe {
    /// The instructions in order, without comments and line breaks.
    pub instructions: Vec<String>,
    /// Files, folders and patterns that are copied from the build context.
    pub files: BTreeSet<String>,
}

struct Stage<'a> {
    name: &'a str,
    instructions: &'a [String],
}

/// The recipe of `stage`; `None` if the Dockerfile does not have it. File names with variables are not expanded.
pub(crate) fn recipe(dockerfile: &str, stage: &str) -> Option<Recipe> {
    let all = instructions(dockerfile);
    let (global, stages) = stages(&all);
    let find = |name: &str| stages.iter().find(|stage| stage.name == name);
    find(stage)?;
    let mut wanted = BTreeSet::from([stage]);
    let mut open = vec![stage];
    while let Some(name) = open.pop() {
        let Some(found) = find(name) else { continue };
        for word in found.instructions.iter().flat_map(|line| stages_named(line)) {
            for stage in stages.iter().filter(|stage| may_be(word, stage.name)) {
                if wanted.insert(stage.name) {
                    open.push(stage.name);
                }
            }
        }
    }
    let mut recipe = Recipe { instructions: global.to_vec(), files: BTreeSet::new() };
    for stage in stages.iter().filter(|stage| wanted.contains(stage.name)) {
        recipe.instructions.extend(stage.instructions.iter().cloned());
        recipe.files.extend(stage.instructions.iter().flat_map(|line| copied(line)));
    }
    Some(recipe)
}

/// Returns whether `word` may mean the stage `name`. If a variable ends the word, every stage with that prefix matches. A
/// word that is only a variable is an image.
fn may_be(word: &str, name: &str) -> bool {
    match word.split_once('$') {
        Some((start, _)) => !start.is_empty() && name.starts_with(start),
        None => word == name,
    }
}

/// The instructions, one on each line.
fn instructions(dockerfile: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut open = String::new();
    for line in dockerfile.lines().map(str::trim) {
        // Comments may also be inside of an instruction.
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (text, goes_on) =
            line.strip_suffix('\\').map_or((line, false), |text| (text.trim_end(), true));
        if !open.is_empty() {
            open.push(' ');
        }
        open.push_str(text);
        if !goes_on {
            all.push(std::mem::take(&mut open));
        }
    }
    all.extend((!open.is_empty()).then_some(open));
    all
}

/// The global arguments and the named stages.
fn stages(all: &[String]) -> (&[String], Vec<Stage<'_>>) {
    let starts: Vec<usize> =
        all.iter().enumerate().filter(|(_, line)| is(line, "FROM")).map(|(at, _)| at).collect();
    let global = &all[..starts.first().copied().unwrap_or(all.len())];
    let ends = starts.iter().skip(1).copied().chain([all.len()]);
    let named = starts.iter().zip(ends).filter_map(|(&start, end)| {
        let mut words = all[start].split_whitespace().rev();
        let name = words.next()?;
        let is_named = words.next()?.eq_ignore_ascii_case("as");
        is_named.then_some(Stage { name, instructions: &all[start..end] })
    });
    (global, named.collect())
}

fn is(line: &str, instruction: &str) -> bool {
    line.split_whitespace().next().is_some_and(|word| word.eq_ignore_ascii_case(instruction))
}

/// The words of an instruction that may be names of stages.
fn stages_named(line: &str) -> Vec<&str> {
    let words = || line.split_whitespace().skip(1);
    if is(line, "FROM") {
        return words().filter(|word| !word.starts_with("--")).take(1).collect();
    }
    let options = words().take_while(|word| word.starts_with("--"));
    let fields = options.flat_map(|option| {
        let value = option.split_once('=').map(|(_, value)| value).unwrap_or_default();
        let whole = option.strip_prefix("--from=");
        whole.into_iter().chain(value.split(',').filter_map(|field| field.strip_prefix("from=")))
    });
    fields.collect()
}

/// The files that a `COPY` takes from the build context.
fn copied(line: &str) -> Vec<String> {
    if !is(line, "COPY") && !is(line, "ADD") {
        return Vec::new();
    }
    let words: Vec<&str> = line.split_whitespace().skip(1).collect();
    if words.iter().any(|word| word.starts_with("--from=")) {
        return Vec::new();
    }
    let mut sources: Vec<&str> = words.into_iter().filter(|word| !word.starts_with("--")).collect();
    sources.pop();
    sources.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    const DOCKERFILE: &str = "# A comment.\nARG BASE=debian:12\nFROM scratch AS files\n\
        COPY scripts/a.sh \\\n    # another comment\n    scripts/b.sh /\n\
        FROM scratch AS others\nCOPY scripts/z.sh /\nFROM ${BASE} AS base\nARG X\n\
        RUN --mount=type=bind,from=files,target=/xtask \\\n    --mount=type=tmpfs,target=/tmp \\\n    \
        sh /xtask/a.sh --from=others\nFROM base AS tool\nCOPY docker/t.txt /\n\
        FROM base AS interpreter\nCOPY --from=tool /t /t\nRUN y\nFROM interpreter AS builder\nRUN z\n";

    #[test]
    fn a_recipe_has_exactly_the_inputs_of_a_stage() {
        let recipe = recipe(DOCKERFILE, "interpreter").unwrap();
        let files: Vec<_> = recipe.files.iter().map(String::as_str).collect();
        assert_eq!(files, ["docker/t.txt", "scripts/a.sh", "scripts/b.sh"]);
        assert_eq!(recipe.instructions[0], "ARG BASE=debian:12");
        assert!(recipe.instructions.contains(&"RUN y".to_owned()));
        assert!(!recipe.instructions.contains(&"RUN z".to_owned()), "{recipe:?}");
        assert!(super::recipe(DOCKERFILE, "none").is_none());
    }

    #[test]
    fn a_variable_in_a_stages_name_matches_each_stage() {
        let text = "FROM scratch AS kind-on\nCOPY on.sh /\nFROM scratch AS kind-off\nCOPY off.sh /\n\
            FROM kind-${KIND} AS kind\nFROM ${BASE} AS interpreter\nCOPY --from=kind / /\n";
        let files: Vec<_> = recipe(text, "interpreter").unwrap().files.into_iter().collect();
        assert_eq!(files, ["off.sh", "on.sh"]);
    }

    #[test]
    fn comments_and_other_stages_do_not_change_a_recipe() {
        let before = recipe(DOCKERFILE, "interpreter");
        let other = DOCKERFILE.replace("# A comment.", "# Another.").replace("RUN z", "RUN zz");
        assert_eq!(recipe(&other, "interpreter"), before);
        assert_ne!(recipe(&DOCKERFILE.replace("ARG X", "ARG X=1"), "interpreter"), before);
        assert_ne!(recipe(&DOCKERFILE.replace("t.txt", "u.txt"), "interpreter"), before);
    }
}
