//! Symbols that files take from elsewhere and that nothing in their scope provides.

use super::{AuditContext, Condition, Effect, Obstacle, Rule};
use crate::audit::elf_file::Elf;
use crate::audit::link::{Cause, Starter, Unresolved};
use crate::audit::preload::Preloads;
use crate::policy::{SymbolVersion, exports};
use crate::text::{listing, shown};

pub(super) const UNDEFINED: Rule = Rule::error(
    "ELF030",
    "undefined-symbol",
    "link the object file or library that defines the symbol; `-Wl,-z,defs` reports it at build time",
);
pub(super) const VERSION_NOT_DEFINED: Rule = Rule::error(
    "ELF031",
    "version-not-defined",
    "put the library into the wheel that the file was linked with",
);
pub(super) const NOT_OF_INTERPRETER: Rule = Rule::error(
    "ELF033",
    "symbol-of-another-interpreter",
    "compile with the headers of the interpreter that the wheel is for",
);
pub(super) const LIBRARY: Rule = Rule::warning(
    "ELF035",
    "library-undefined-symbol",
    "link the library with what defines the symbol (`-Wl,-z,defs`), so that it does not depend on what is loaded before it",
);
pub(super) const REMOVED: Rule = Rule::warning(
    "ELF036",
    "symbol-removed",
    "use the function that replaces it; newer releases of the library keep it for old programs at most",
);

pub(super) const RELEASE: Rule = Rule::warning(
    "ELF042",
    "symbol-of-a-newer-release",
    "build on the oldest system that the tag admits, or look the function up with `dlsym`",
);

pub(super) fn collect(context: &AuditContext<'_>, all: &mut Vec<Obstacle>) {
    let is_musl = context.is_musl();
    let preloads = context.contents().map(|contents| &contents.preloads);
    let is_shared = preloads.is_some_and(Preloads::is_global);
    for elf in context.elves().iter().filter(|elf| elf.arch == context.facts.needs.arch) {
        let is_opened = !is_shared && preloads.is_some_and(|preloads| preloads.names(&elf.path));
        // What the wheel's own code loads for all may export the symbols of what Python imports
        // later. A library that is opened by its path may be opened before that.
        let is_excused = is_shared && elf.starter == Some(Starter::Import);
        let is_known = |each: &&Unresolved| {
            !(is_excused && matches!(each.cause, Cause::Nowhere | Cause::OutOfScope(_)))
        };
        let groups = elf.unresolved.iter().filter(is_known);
        let groups = groups.map(|unresolved| Group { elf, unresolved, is_musl, is_opened });
        all.extend(groups.filter_map(|group| group.obstacle()));
    }
}

/// The symbols of a file that do not resolve for the same reason.
struct Group<'a> {
    elf: &'a Elf,
    unresolved: &'a Unresolved,
    is_musl: bool,
    /// Python code of the wheel opens the file, and shares no symbols before.
    is_opened: bool,
}

impl Group<'_> {
    fn obstacle(&self) -> Option<Obstacle> {
        match &self.unresolved.cause {
            Cause::VersionNotDefined(library) => Some(self.version(library)),
            Cause::LibraryNotNeeded(library) => Some(self.not_needed(library)),
            Cause::NotOfInterpreter => Some(self.not_of_interpreter()),
            Cause::Until(version) => self.removed(version),
            Cause::Release(library, since) => self.release(library, since),
            Cause::Nowhere => Some(self.nowhere()),
            Cause::OutOfScope(file) => Some(self.out_of_scope(file)),
            // No obstacle where every interpreter has loaded the library, or nothing is known.
            Cause::OfInterpreter { .. } | Cause::Unknown(_) => None,
        }
    }

    fn names(&self) -> String {
        let names: Vec<&str> =
            self.unresolved.symbols.iter().map(|each| each.name.as_str()).collect();
        listing(&names)
    }

    fn breaking(&self, rule: &'static Rule, cause: String) -> Obstacle {
        Obstacle::new(rule, &self.elf.path, cause).with_words(self.words())
    }

    /// What the loader prints of the first of them (glibc, `elf/dl-lookup.c`; musl,
    /// `ldso/dynlink.c`, `do_relocs`).
    fn words(&self) -> String {
        let Some(first) = self.unresolved.symbols.first() else { return String::new() };
        let symbol = shown(&first.name);
        if self.is_musl {
            return format!(
                "Error relocating {}: {symbol}: symbol not found",
                shown(&self.elf.path)
            );
        }
        let version = first.version.as_ref();
        let version = version.map_or_else(String::new, |it| format!(", version {}", shown(it)));
        format!("undefined symbol: {symbol}{version}")
    }

    fn nowhere(&self) -> Obstacle {
        let names = self.names();
        let cause = format!("needs {names}, and no file that is loaded with it exports that");
        let obstacle = match (self.elf.starter, self.unresolved.is_lazy) {
            // Python opens modules with `RTLD_NOW` (`CPython`, `Python/dynload_shlib.c`), which binds
            // what they need as well.
            (Some(Starter::Import), _) | (Some(Starter::Program), false) => {
                self.breaking(&UNDEFINED, cause)
            }
            (Some(Starter::Path), _) if self.is_opened => self.breaking(&UNDEFINED, cause),
            (Some(Starter::Program), true) => {
                let cause = format!("{cause}: it fails at the first call");
                self.breaking(&LIBRARY, cause).with_effect(Effect::MayFail)
            }
            _ => self.breaking(&LIBRARY, cause).with_effect(Effect::MayFail),
        };
        match self.hint() {
            Some(hint) => obstacle.with_help(hint),
            None => obstacle,
        }
    }

    /// The library of the system that exports the first of them.
    fn hint(&self) -> Option<String> {
        let libraries = exports::providers(&self.unresolved.symbols.first()?.name, self.elf.arch?);
        let library = libraries.first().filter(|_| !self.is_musl)?;
        let name = library.strip_prefix("lib")?.split(".so").next()?;
        Some(format!("link with `-l{name}`: `{library}` exports it"))
    }

    fn out_of_scope(&self, file: &str) -> Obstacle {
        let (names, file) = (self.names(), shown(file));
        let cause = format!(
            "needs {names}, which only `{file}` exports, and is not linked with that file: it loads \
             only after something else has loaded that file with `RTLD_GLOBAL`"
        );
        self.breaking(&LIBRARY, cause).with_effect(Effect::MayFail)
    }

    fn version(&self, library: &str) -> Obstacle {
        let versions: Vec<&str> =
            self.unresolved.symbols.iter().filter_map(|each| each.version.as_deref()).collect();
        let library = shown(library);
        let cause =
            format!("needs {} of `{library}`, which does not define it", listing(&versions));
        let version = shown(versions.first().copied().unwrap_or_default());
        // glibc, `elf/dl-version.c`, `match_symbol`.
        let words = format!("{library}: version `{version}' not found (required by it)");
        Obstacle::new(&VERSION_NOT_DEFINED, &self.elf.path, cause).with_words(words)
    }

    fn not_needed(&self, library: &str) -> Obstacle {
        let library = shown(library);
        let cause =
            format!("needs versions of `{library}`, which nothing loads: `DT_NEEDED` lacks it");
        let effect = match self.elf.starter {
            Some(Starter::Import | Starter::Program) => Effect::Fails,
            _ => Effect::MayFail,
        };
        Obstacle::new(&VERSION_NOT_DEFINED, &self.elf.path, cause)
            .with_words("Inconsistency detected by ld.so: _dl_check_map_versions: Assertion `needed != NULL' failed!")
            .on(Condition::Glibc { from: None, before: None })
            .with_effect(effect)
            .with_help("add the library (`patchelf --add-needed`), or remove the versions with the need")
    }

    fn not_of_interpreter(&self) -> Obstacle {
        let names = self.names();
        let cause =
            format!("needs {names}, which the interpreter of the wheel's tag does not export");
        self.breaking(&NOT_OF_INTERPRETER, cause)
    }

    fn release(&self, library: &str, since: &str) -> Option<Obstacle> {
        let version: SymbolVersion = since.parse().ok()?;
        let (names, library) = (self.names(), library.to_owned());
        let owner = if self.is_musl { "musl" } else { library.as_str() };
        let cause = format!("takes {names} from `{}`, which has that since {since}", shown(owner));
        let obstacle = self.breaking(&RELEASE, cause);
        let obstacle =
            if self.unresolved.is_lazy { obstacle.with_effect(Effect::MayFail) } else { obstacle };
        Some(obstacle.on(if self.is_musl {
            Condition::OlderMusl(version)
        } else {
            Condition::OlderLibrary { library, version }
        }))
    }

    fn removed(&self, version: &str) -> Option<Obstacle> {
        let (prefix, from) = SymbolVersion::of_name(version)?;
        let from = from.to_string().parse().ok().filter(|_| prefix == "GLIBC")?;
        let names = self.names();
        let cause = format!("needs {names}, which glibc no longer has since {from}");
        let on = Condition::Glibc { from: Some(from), before: None };
        Some(self.breaking(&REMOVED, cause).on(on))
    }
}
