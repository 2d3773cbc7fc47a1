# Drives Dockerfile.wheels. `cargo xtask wheels` sets these variables. By hand, set them in the environment, as in
#
#   PYTHONS="cp311 cp313" PLATFORMS=linux/amd64 docker buildx bake -f docker/docker-bake.hcl
#
# Every variable is a string, so that the environment can override it. Lists are words separated by commas or blanks.
# The default sets the type: buildx reads an explicit `type` only since 0.24. Tags, cache-from and cache-to are left to
# the caller.

variable "BASE_IMAGE" { default = "debian:12" }
variable "BASE_DIGEST" { default = "none" }
variable "BASE_ORIGIN" { default = "unknown" }
variable "TARGET_NAME" { default = "none" }
variable "CACHE_SCOPE" { default = "" }
# The package whose code runs: packages do not share caches.
variable "PACKAGE_SCOPE" { default = "package" }
# Compile for an emulated platform with native programs: "on" or "off". They come from NATIVE_IMAGE, the target's image for
# this machine's platform [default: BASE_IMAGE].
variable "ACCELERATE" { default = "off" }
variable "NATIVE_IMAGE" { default = "" }
variable "PLATFORMS" { default = "" }
# The processor that QEMU emulates, as in `qemu-aarch64 -cpu help`. Empty: QEMU's default.
variable "XTASK_QEMU_CPU" { default = "" }
# Stages to run again although they are cached.
variable "XTASK_NO_CACHE" { default = "" }

variable "PYTHONS" { default = "cp311" }
variable "PROVIDERS" { default = "image distro managed source" }
variable "SYSTEM_PACKAGES" { default = "" }
# Versions of packages, one line name=version each; the snapshot's time and its address.
variable "LOCKED_PACKAGES" { default = "" }
variable "SNAPSHOT" { default = "" }
variable "SNAPSHOT_URL" { default = "" }
variable "RUST" { default = "none" }
variable "RUST_VERSION" { default = "1.91.1" }
variable "RUSTUP_VERSION" { default = "1.28.2" }

variable "SDIST" { default = "" }
variable "SDIST_SHA256" { default = "" }
# The hash of all inputs of a build. Builds with the same hash share a compiler cache. Empty: no cache.
variable "COMPILER_CACHE" { default = "" }
variable "PACKAGE_CONTEXT" { default = "target/xtask/package" }

variable "RECIPE" { default = "build-all" }
variable "JUSTFILE" { default = "auto" }
variable "BUILD_ENV" { default = "" }
# Shell commands that run before the builds of all interpreters, and before each build.
variable "BEFORE" { default = "" }
variable "BEFORE_BUILD" { default = "" }
# The frontend (uv or build), and a line KEY=VALUE for each setting of the backend.
variable "BUILD_FRONTEND" { default = "uv" }
variable "CONFIG_SETTINGS" { default = "" }
variable "BUILD_REQUIREMENTS" { default = "" }
# Further build requirements, and lines `name==version --hash=sha256:...` that replace all of them.
variable "EXTRA_REQUIRES" { default = "" }
variable "LOCKED_BUILD" { default = "" }
# "on": the package builds with network.
variable "BUILD_NETWORK" { default = "off" }
variable "SOURCE_DATE_EPOCH" { default = "" }

variable "REPAIR_PLATFORM" { default = "" }
variable "REPAIR_EXCLUDE" { default = "" }
variable "REPAIR_STRIP" { default = "" }

variable "WHEEL_CONTEXT" { default = "target/xtask/wheel" }
# The wheel's requirements, one line of its METADATA each.
variable "SMOKE_REQUIRES" { default = "" }
# Lines `name==version --hash=sha256:...` that replace the resolution.
variable "LOCKED_SMOKE" { default = "" }
variable "LOCKED_TEST" { default = "" }
variable "SMOKE_IMPORTS" { default = "" }
variable "SMOKE_CALLS" { default = "{}" }
variable "SMOKE_COMMANDS" { default = "[]" }
variable "SMOKE_GRAFTED" { default = "{}" }
variable "IGNORE_REQUIREMENTS" { default = "" }
# System packages of the clean image.
variable "TEST_PACKAGES" { default = "" }

# The command of the package's own tests.
variable "TEST_COMMAND" { default = "" }
variable "TEST_SOURCES" { default = "" }
variable "TEST_ENV" { default = "" }
variable "TEST_REQUIRES" { default = "" }
variable "TEST_EXTRAS" { default = "" }
variable "TEST_GROUPS" { default = "" }
# Network of the tests: offline or online.
variable "TEST_NETWORK" { default = "offline" }

# The published wheel to compare with: project, version (optional) and day.
variable "LIKE_PROJECT" { default = "" }
variable "LIKE_VERSION" { default = "" }
variable "LIKE_DATE" { default = "" }

variable "TRY_PYTHONS" { default = "" }

variable "SHELL_PARENT" { default = "interpreter" }
variable "SHELL_FILES" { default = "files-build" }

variable "OUTPUT" { default = "target/xtask/output" }

function "words" {
  params = [list]
  result = [for word in split(" ", replace(list, ",", " ")) : word if word != ""]
}

group "default" {
  targets = ["wheel-builder"]
}

# Shared by every target. The context is the root of the repository, the folder in which bake runs.
target "_common" {
  context    = "."
  dockerfile = "docker/Dockerfile.wheels"
  platforms  = words(PLATFORMS)

  no-cache-filter = words(XTASK_NO_CACHE)
  args = {
    BASE_IMAGE      = BASE_IMAGE
    CACHE_SCOPE     = CACHE_SCOPE != "" ? CACHE_SCOPE : BASE_IMAGE
    PACKAGE_SCOPE   = PACKAGE_SCOPE
    ACCELERATE      = ACCELERATE
    NATIVE_IMAGE    = NATIVE_IMAGE != "" ? NATIVE_IMAGE : BASE_IMAGE
    QEMU_CPU        = XTASK_QEMU_CPU != "" ? XTASK_QEMU_CPU : null
    RUST            = RUST
    RUST_VERSION    = RUST_VERSION
    RUSTUP_VERSION  = RUSTUP_VERSION
    SYSTEM_PACKAGES = join(" ", words(SYSTEM_PACKAGES))
    LOCKED_PACKAGES = LOCKED_PACKAGES
    SNAPSHOT        = SNAPSHOT
    SNAPSHOT_URL    = SNAPSHOT_URL
    PYTHONS         = join(" ", words(PYTHONS))
    PROVIDERS       = join(" ", words(PROVIDERS))
  }
}

target "_info" {
  args = {
    BASE_DIGEST = BASE_DIGEST
    BASE_ORIGIN = BASE_ORIGIN
    TARGET_NAME = TARGET_NAME
  }
}

target "_wheels" {
  inherits = ["_common", "_info"]
  target   = "output"
  output   = ["type=local,dest=${OUTPUT}"]
  args = {
    RECIPE             = RECIPE
    JUSTFILE           = JUSTFILE
    BUILD_ENV          = BUILD_ENV
    BEFORE_STAGE       = BEFORE == "" ? "off" : BUILD_NETWORK == "on" ? "online" : "on"
    BUILDER            = BUILD_NETWORK == "on" ? "wheel-builder-online" : "wheel-builder"
    CRATES             = RUST != "none" ? "on" : "off"
    COMPILER_CACHE     = COMPILER_CACHE
    EXTRA_REQUIRES     = EXTRA_REQUIRES
    LOCKED_BUILD       = LOCKED_BUILD
    BUILD_ENVIRONMENT  = BEFORE == "" && BEFORE_BUILD == "" && BUILD_FRONTEND == "uv" ? "on" : "off"
    BEFORE             = BEFORE
    BEFORE_BUILD       = BEFORE_BUILD
    BUILD_FRONTEND     = BUILD_FRONTEND
    CONFIG_SETTINGS    = CONFIG_SETTINGS
    BUILD_REQUIREMENTS = BUILD_REQUIREMENTS
    SOURCE_DATE_EPOCH  = SOURCE_DATE_EPOCH
  }
}

# Wheels from a source archive of the Python index.
target "wheel-builder" {
  inherits = ["_wheels"]
  args = {
    SOURCE_KIND  = "sdist"
    SDIST        = SDIST
    SDIST_SHA256 = SDIST_SHA256
  }
}

# Wheels from the package's own files: PACKAGE_CONTEXT is a folder that holds
# source.tar and source.json, as `cargo xtask wheels` leaves it below target/xtask/source.
target "wheel-builder-local" {
  inherits = ["_wheels"]
  contexts = {
    package = PACKAGE_CONTEXT
  }
  args = {
    SOURCE_KIND = "local"
  }
}

# Repairs the wheel in the folder WHEEL_CONTEXT: adds the libraries that REPAIR_PLATFORM does not promise. The stage
# starts from the build, so the arguments must be those of the build.
target "_repair" {
  target = "repair"
  contexts = {
    wheel = WHEEL_CONTEXT
  }
  args = {
    REPAIR_PLATFORM = REPAIR_PLATFORM
    REPAIR_EXCLUDE  = REPAIR_EXCLUDE
    REPAIR_STRIP    = REPAIR_STRIP
  }
}
target "repair" {
  inherits = ["wheel-builder", "_repair"]
}
target "repair-local" {
  inherits = ["wheel-builder-local", "_repair"]
}

# Describes the environment, without a source and, by default, without interpreters.
target "build-info" {
  inherits = ["_common", "_info"]
  target   = "build-info"
  output   = ["type=local,dest=${OUTPUT}"]
  args = {
    SOURCE_KIND = "none"
  }
}

# The interpreters of a target with its compilers and tools, as an image. As a named context, it replaces the stages `base`
# and `interpreter`.
target "base-image" {
  inherits = ["_common"]
  target   = "interpreter"
}

# The newest published wheel that the interpreter installs.
target "published" {
  inherits = ["_common"]
  target   = "published"
  output   = ["type=local,dest=${OUTPUT}"]
  args = {
    LIKE_PROJECT = LIKE_PROJECT
    LIKE_VERSION = LIKE_VERSION
    LIKE_DATE    = LIKE_DATE
  }
}

# Smoke-tests the wheel in the folder WHEEL_CONTEXT in a clean image.
target "smoke" {
  inherits = ["_common"]
  target   = "smoke"
  output   = ["type=local,dest=${OUTPUT}"]
  contexts = {
    wheel = WHEEL_CONTEXT
  }
  args = {
    SMOKE_REQUIRES      = SMOKE_REQUIRES
    SMOKE_IMPORTS       = join(" ", words(SMOKE_IMPORTS))
    SMOKE_CALLS         = SMOKE_CALLS
    SMOKE_COMMANDS      = SMOKE_COMMANDS
    SMOKE_GRAFTED       = SMOKE_GRAFTED
    LOCKED_SMOKE        = LOCKED_SMOKE
    IGNORE_REQUIREMENTS = join(" ", words(IGNORE_REQUIREMENTS))
    TEST_PACKAGES       = join(" ", words(TEST_PACKAGES))
  }
}

# Also runs the package's own tests. They read the source, as a build does.
target "test" {
  inherits = ["smoke", "_tests"]
  target   = "test"
  args = {
    SOURCE_KIND  = "sdist"
    SDIST        = SDIST
    SDIST_SHA256 = SDIST_SHA256
  }
}

target "test-local" {
  inherits = ["smoke", "_tests"]
  target   = "test"
  contexts = {
    package = PACKAGE_CONTEXT
  }
  args = {
    SOURCE_KIND = "local"
  }
}

target "_tests" {
  args = {
    TEST_COMMAND  = TEST_COMMAND
    TEST_SOURCES  = TEST_SOURCES
    TEST_ENV      = TEST_ENV
    TEST_REQUIRES = TEST_REQUIRES
    TEST_EXTRAS   = join(" ", words(TEST_EXTRAS))
    TEST_GROUPS   = join(" ", words(TEST_GROUPS))
    TEST_NETWORK  = TEST_NETWORK
    LOCKED_TEST   = LOCKED_TEST
  }
}

# Installs and loads the wheels in the folders of WHEEL_CONTEXT in a clean image. TRY_PYTHONS: further interpreters, as uv
# names them.
target "try" {
  inherits = ["_common"]
  target   = "try"
  output   = ["type=local,dest=${OUTPUT}"]
  contexts = {
    wheel = WHEEL_CONTEXT
  }
  args = {
    TRY_PYTHONS = join(" ", words(TRY_PYTHONS))
  }
}

# The state before a step, as an image for `docker run --interactive --tty`. SHELL_PARENT is the parent of the step's
# stage, SHELL_FILES the stage with its scripts.
target "shell" {
  inherits = ["_common"]
  target   = "shell"
  output   = ["type=docker"]
  args = {
    SHELL_PARENT       = SHELL_PARENT
    SHELL_FILES        = SHELL_FILES
    SOURCE_KIND        = "none"
    RECIPE             = RECIPE
    JUSTFILE           = JUSTFILE
    BUILD_ENV          = BUILD_ENV
    BEFORE_STAGE       = BEFORE == "" ? "off" : BUILD_NETWORK == "on" ? "online" : "on"
    BUILDER            = BUILD_NETWORK == "on" ? "wheel-builder-online" : "wheel-builder"
    CRATES             = RUST != "none" ? "on" : "off"
    COMPILER_CACHE     = COMPILER_CACHE
    EXTRA_REQUIRES     = EXTRA_REQUIRES
    LOCKED_BUILD       = LOCKED_BUILD
    BUILD_ENVIRONMENT  = BEFORE == "" && BEFORE_BUILD == "" && BUILD_FRONTEND == "uv" ? "on" : "off"
    BEFORE             = BEFORE
    BEFORE_BUILD       = BEFORE_BUILD
    BUILD_FRONTEND     = BUILD_FRONTEND
    CONFIG_SETTINGS    = CONFIG_SETTINGS
    BUILD_REQUIREMENTS = BUILD_REQUIREMENTS
    SOURCE_DATE_EPOCH  = SOURCE_DATE_EPOCH
    SMOKE_REQUIRES     = SMOKE_REQUIRES
    SMOKE_IMPORTS      = join(" ", words(SMOKE_IMPORTS))
    SMOKE_CALLS        = SMOKE_CALLS
    SMOKE_COMMANDS     = SMOKE_COMMANDS
    LIKE_PROJECT       = LIKE_PROJECT
    LIKE_VERSION       = LIKE_VERSION
  }
}

# The same before the smoke test or the tests, with the wheel in the folder WHEEL_CONTEXT.
target "shell-smoke" {
  inherits = ["shell", "_tests"]
  target   = "shell-smoke"
  contexts = {
    wheel = WHEEL_CONTEXT
  }
  args = {
    IGNORE_REQUIREMENTS = join(" ", words(IGNORE_REQUIREMENTS))
    TEST_PACKAGES       = join(" ", words(TEST_PACKAGES))
  }
}

# The same before the repair, with the wheel as it was built.
target "shell-repair" {
  inherits = ["shell-smoke"]
  target   = "shell-repair"
  args = {
    REPAIR_PLATFORM = REPAIR_PLATFORM
    REPAIR_EXCLUDE  = REPAIR_EXCLUDE
    REPAIR_STRIP    = REPAIR_STRIP
  }
}
