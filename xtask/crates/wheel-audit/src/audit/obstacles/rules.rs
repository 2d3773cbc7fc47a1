//! Rules that checks and obstacles share.

use super::Rule;

pub(in crate::audit) const UNREADABLE: Rule = Rule::error(
    "ELF001",
    "unjudged",
    "build the file again; its headers or dynamic tables are damaged",
);
pub(in crate::audit) const OTHER_MACHINE: Rule =
    Rule::error("ELF002", "other-machine", "build on the target's architecture");
pub(in crate::audit) const FLOOR: Rule = Rule::error(
    "ELF003",
    "floor-above-promise",
    "build on the target's own system or an older one, or set `[check] tag = \"floor\"` in wheels.toml",
);
pub(in crate::audit) const NOT_LOADABLE: Rule =
    Rule::error("ELF022", "not-loadable", "link it as a shared object (`-shared`) for Linux");
pub(in crate::audit) const OF_THE_LOADER: Rule = Rule::error(
    "ELF024",
    "loader-above-promise",
    "build on the target's own system or an older one",
);
pub(in crate::audit) const NOT_OF_THE_LOADER: Rule = Rule::error(
    "ELF027",
    "loader-lacks-version",
    "link against the target's own C library, and do not bundle parts of glibc",
);
pub(in crate::audit) const NO_ELF: Rule = Rule::error(
    "ELF025",
    "module-no-elf",
    "build the module, or fetch its content (`git lfs pull`), before you pack the wheel",
);
pub(in crate::audit) const ABOVE: Rule = Rule::error(
    "ISA001",
    "isa-above-promise",
    "compile for the promised level (never with `-march=native`), or select the code at run time",
);
pub(in crate::audit) const RELR: Rule = Rule::error(
    "ELF005",
    "relr-without-its-version",
    "link without `-z pack-relative-relocs`, or with a linker that adds `GLIBC_ABI_DT_RELR`",
);
