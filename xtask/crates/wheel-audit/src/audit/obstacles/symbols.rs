//! Undefined symbols that nothing in the file's lookup scope provides.

use super::{AuditContext, Condition, Effect, Obstacle, Rule};
use crate::audit::elf_file::Elf;
use crate::audit::preload::Preloads;
use crate::audit::unresolved::{Cause, LoadedBy, Unresolved};
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
    "bundle the library that the file was linked with",
);
pub(super) const NOT_OF_INTERPRETER: Rule = Rule::error(
    "ELF033",
    "symbol-of-another-interpreter",
    "compile with the headers of the interpreter that the wheel is for",
);
pub(super) const LIBRARY: Rule = Rule::warning(
    "ELF035",
    "library-undefined-symbol",
    "link the library with the library that defines the symbol; `-Wl,-z,defs` reports it at build time",
);
pub(super) const REMOVED: Rule = Rule::warning(
    "ELF036",
    "symbol-removed",
    "use the replacement function; newer releases of the library keep this one only for old programs",
);

pub(super) const RELEASE: Rule = Rule::warning(
    "ELF042",
    "symbol-of-a-newer-release",
    "build on the oldest system that the tag allows, or look up the function with `dlsym`",
);

pub(super) fn collect(context: &AuditContext<'_>, all: &mut Vec<Obstacle>) {
    let is_musl = context.is_musl();
    let preloads = context.contents().map(|contents| &contents.preloads);
    let is_shared = preloads.is_some_and(Preloads::is_global);
    for elf in context.elves().iter().filter(|elf| elf.arch == context.facts.needs.arch) {
        let is_opened = !is_shared && preloads.is_some_and(|preloads| preloads.names(&elf.path));
        // A library that the wheel's code loads with `RTLD_GLOBAL` may export symbols for modules that Python
        // imports later. A library that is opened by path may be opened earlier.
        let is_excused = is_shared && elf.loaded_by == Some(LoadedBy::Import);
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
    /// Python code of the wheel opens the file, and no code loads libraries with `RTLD_GLOBAL`.
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
            // No obstacle if every interpreter loads the library, or if its exports are unknown.
            Cause::OfInterpreter { .. } | Cause::Unknown(_) => None,
        }
    }

    fn names(&self) -> String {
        let names: Vec<&str> =
            self.unresolved.symbols.iter().map(|each| each.name.as_str()).collect();
        listing(&names)
    }

    fn breaking(&self, rule: &'static Rule, cause: String) -> Obstacle {
        Obstacle::new(rule, &self.elf.path, cause).with_loader_message(self.loader_message())
    }

    /// The loader's message for the first symbol (glibc, `elf/dl-lookup.c`; musl, `ldso/dynlink.c`,
    /// `do_relocs`).
    fn loader_message(&self) -> String {
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
        let cause = format!("needs {names}, but no file that is loaded with it exports the symbol");
        let obstacle = match (self.elf.loaded_by, self.unresolved.is_lazy) {
            // Python opens modules with `RTLD_NOW` (`CPython`, `Python/dynload_shlib.c`), which also
            // binds the libraries that they need.
            (Some(LoadedBy::Import), _) | (Some(LoadedBy::Program), false) => {
                self.breaking(&UNDEFINED, cause)
            }
            (Some(LoadedBy::Path), _) if self.is_opened => self.breaking(&UNDEFINED, cause),
            (Some(LoadedBy::Program), true) => {
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

    /// The hint with the system library that exports the first symbol.
    fn hint(&self) -> Option<String> {
        let libraries = exports::providers(&self.unresolved.symbols.first()?.name, self.elf.arch?);
        let library = libraries.first().filter(|_| !self.is_musl)?;
        let name = library.strip_prefix("lib")?.split(".so").next()?;
        Some(format!("link with `-l{name}`: `{library}` exports it"))
    }

    fn out_of_scope(&self, file: &str) -> Obstacle {
        let (names, file) = (self.names(), shown(file));
        let cause = format!(
            "needs {names}, which only `{file}` exports, but is not linked with that file: it loads \
             only after another file has loaded that file with `RTLD_GLOBAL`"
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
        let loader_message = format!("{library}: version `{version}' not found (required by it)");
        Obstacle::new(&VERSION_NOT_DEFINED, &self.elf.path, cause)
            .with_loader_message(loader_message)
    }

    fn not_needed(&self, library: &str) -> Obstacle {
        let library = shown(library);
        let cause =
            format!("needs versions of `{library}`, which nothing loads: `DT_NEEDED` lacks it");
        let effect = match self.elf.loaded_by {
            Some(LoadedBy::Import | LoadedBy::Program) => Effect::Fails,
            _ => Effect::MayFail,
        };
        Obstacle::new(&VERSION_NOT_DEFINED, &self.elf.path, cause)
            .with_loader_message("Inconsistency detected by ld.so: _dl_check_map_versions: Assertion `needed != NULL' failed!")
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
        let cause = format!("uses {names} of `{}`, which exports it since {since}", shown(owner));
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
