//! Runs the generated workflow with `[ci] cache = "gha"` twice on machines with empty engines: the second run loads
//! its layers from the cache service (`cache_service.py`). Minutes: `cargo xtask ci --full`.

use std::collections::BTreeSet;

use toml_edit::{DocumentMut, value};

use crate::cache_service::{CacheService, Counts, Programs, empty};
use crate::layers::{image, push_debian_12};
use crate::registry::Registry;
use crate::replay::{fill, machine, report, report_times};
use crate::runner::engine;
use crate::runner::event::Event;
use crate::runner::hub::Hub;
use crate::runner::run::Conclusion::Skipped;
use crate::runner::run::{Machine, Run};
use crate::second::Second;

/// The stages whose layers do not depend on a source.
const SHARED: [&str; 6] =
    ["system", "base", "interpreter", "build-environment", "smoke-system", "smoke-requirements"];
/// The published wheel, which changes from day to day: no run keeps its layers.
const PUBLISHED: [&str; 3] = ["files-published", "fetch-published", "published"];
/// The stages that depend on the environment of the build: the build, and the smoke test of its wheel.
const CHANGED: [&str; 5] = ["wheel-builder", "output", "smoke-env", "smoke-run", "smoke"];

/// A repository on GitHub with its cache service, and one engine, emptied before each run like a new machine.
struct Site {
    hub: Hub,
    engine: Second,
    programs: Programs,
    service: CacheService,
    _registry: Registry,
}

/// A run: the stages that ran, and the service's counts before and after it.
struct Seen {
    ran: BTreeSet<String>,
    before: Counts,
    after: Counts,
}

impl Seen {
    fn counted(&self, what: &str) -> u64 {
        self.after.since(&self.before, what)
    }

    /// Fails if a stage ran that is not in `allowed`.
    #[track_caller]
    fn ran_only(&self, allowed: &[&str]) {
        assert!(self.ran.iter().all(|stage| allowed.contains(&stage.as_str())), "{:?}", self.ran);
    }
}

impl Site {
    fn start() -> Option<Self> {
        let (programs, registry) = (Programs::find_or_skip()?, Registry::start());
        push_debian_12(&registry);
        let (engine, service) = (Second::of(&programs.dockerd), CacheService::start());
        let hub = Hub::new(None);
        fill(&hub, |toml| {
            toml["ci"]["cache"] = value("gha");
            toml["engine"]["network"] = value("host");
            let mut targets = toml["target"].as_array_of_tables_mut().unwrap().iter_mut();
            let target = targets.find(|it| it["name"].as_str() == Some("debian12")).unwrap();
            target["image"] = value(image(&registry));
            target.remove("bootstrap");
            target.remove("digest");
        });
        Some(Self { hub, engine, programs, service, _registry: registry })
    }

    /// The machine of runs for `reference`.
    fn machine(&self, reference: &str) -> Machine {
        let mut machine = machine(&self.hub.folder.join("machine"), false);
        let client = self.programs.environment(&machine.env["PATH"]).into_iter();
        let client = client.chain([("DOCKER_HOST", self.engine.host())]);
        machine.env.extend(client.map(|(name, value)| (name.to_owned(), value)));
        let service = self.service.environment(reference).into_iter();
        machine.service = service.map(|(name, value)| (name.to_owned(), value)).collect();
        machine
    }

    /// Pushes `reference` and runs its workflow in an empty engine.
    fn push(&self, title: &str, reference: &str, (sha, changed): &(String, Vec<String>)) -> Seen {
        empty(&self.engine.host());
        let (machine, before) = (self.machine(reference), self.service.counts());
        let event = Event::push(reference, sha, changed);
        let run = Run::of(&self.hub, &machine, event).unwrap();
        let publishes = reference.starts_with("refs/tags/");
        run.ends(if publishes { &[] } else { &[("publish", Skipped)] });
        let build = run.job("build");
        assert!(build.step("github-script").outputs.contains_key("token"));
        assert!(!build.log().contains("a cache that failed"), "{}", build.log());
        report_times(title, &run);
        let seen = Seen { ran: report_steps(&run), before, after: self.service.counts() };
        let [stored, hit, miss, bytes] =
            ["stored layer", "hit layer", "miss layer", "stored bytes"].map(|it| seen.counted(it));
        report(&format!("  layers: {stored} stored ({bytes} bytes), {hit} found, {miss} missed"));
        seen
    }

    /// The repository's wheels.toml.
    fn configuration(&self) -> DocumentMut {
        let text = fs_err::read_to_string(self.hub.origin().join("wheels.toml")).unwrap();
        text.parse().unwrap()
    }
}

/// Prints the number of cached steps, and returns the stages of the others. The engine does not report steps without
/// a user, such as those before a cached smoke test.
fn report_steps(run: &Run<'_>) -> BTreeSet<String> {
    let steps = engine::first_calls(&run.job("build").engine);
    let missed: Vec<_> =
        steps.iter().filter(|(_, cached)| !**cached).map(|(name, _)| name).collect();
    let cached = steps.len() - missed.len();
    report(&format!("  {cached} of {} steps came from the cache; not {missed:?}", steps.len()));
    missed.iter().filter_map(|name| name.split(' ').next()).map(str::to_owned).collect()
}

const MAIN: &str = "refs/heads/main";

#[test]
fn the_second_run_in_an_empty_engine_uses_cached_layers() {
    let Some(site) = Site::start() else { return };
    let one = site.hub.commit("one");
    let first = site.push("push, the cache is empty", MAIN, &one);
    for stage in SHARED {
        assert!(first.ran.contains(stage), "no {stage}: {:?}", first.ran);
    }
    for scope in ["debian12-amd64-cp311", "debian12-amd64", "debian12-amd64-cp311-smoke"] {
        assert_eq!(first.counted(&format!("stored list of {scope}")), 1, "{scope}");
    }

    // A tag of the same commit reads the caches of the default branch, and stores nothing.
    let sdist = site.configuration()["source"]["sdist"].as_str().unwrap().to_owned();
    let tag = format!("v{}", sdist.split("==").nth(1).unwrap());
    site.hub.git(&["tag", &tag]);
    let tagged = site.push("push of a tag, another machine", &format!("refs/tags/{tag}"), &one);
    tagged.ran_only(&PUBLISHED);
    assert!(tagged.counted("hit layer") > 0, "{:?}", tagged.after);
    assert_eq!(tagged.counted("miss layer") + tagged.counted("stored layer"), 0);

    // Another build keeps the layers of the steps before it, and of the smoke test's system.
    let mut toml = site.configuration();
    // `env` also affects the layer of the build requirements.
    toml["build"]["config-settings"]["replay"] = value("2");
    fs_err::write(site.hub.origin().join("wheels.toml"), toml.to_string()).unwrap();
    let two = site.hub.commit("two");
    let changed = site.push("push with another build, another machine", MAIN, &two);
    changed.ran_only(&[&PUBLISHED[..], &CHANGED].concat());
    assert!(changed.ran.contains("wheel-builder"), "{:?}", changed.ran);
}
