//! The workshop with builders that are shell scripts: what is built, kept, found and built again.

use super::*;
use crate::cells::fake::spec;
use isle_wire::{ModuleKind, StartKind};

fn settings(folder: &Path, script: &str) -> Settings {
    Settings {
        folder: folder.to_owned(),
        base_snapshot: "/cache/base-1.snapshot".into(),
        command: CellCommand { program: "/bin/sh".into(), args: vec!["-c".into(), script.into()] },
        memory_bytes: 1 << 20,
        disk_bytes: 1 << 20,
        builders: 1,
        builder_memory_mb: 64,
        builder_cpu_s: 1,
        builder_deadline: Duration::from_secs(20),
        wish: StartWish::Auto,
    }
}

/// A builder that writes `content` where it is told to and says that all is well.
pub fn script(content: &str) -> String {
    let report = BuildReport { artifact: true, plan: StartKind::Pooled, ..BuildReport::from_source(9) };
    let report = serde_json::to_string(&report).unwrap();
    format!(
        "read order; out=${{order#*'\"out\":\"'}}; out=${{out%%'\"'*}}; printf '%s' '{content}' > \"$out\"; echo '{report}'"
    )
}

fn work(workshop: &Workshop, tenant: &str, text: &str) -> (Work, FunctionVersion) {
    let spec = spec(tenant, "blog", "hello");
    let source = ModuleSource { kind: ModuleKind::JavaScript, text: text.into() };
    let modules = Arc::new(BTreeMap::from([("index.js".to_owned(), source)]));
    let key = workshop.key(&spec, &modules, &[]);
    let mut version = FunctionVersion::new(spec.clone(), tenant.into());
    version.artifact = Some(key);
    (Work { key, spec, modules, warm_ups: Vec::new() }, version)
}

fn content(file: &SealedFile) -> String {
    use std::os::unix::fs::FileExt;
    let mut bytes = vec![0; file.bytes as usize];
    file.file.read_exact_at(&mut bytes, 0).unwrap();
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn what_is_built_is_found_now_and_after_a_restart() {
    let home = tempfile::tempdir().unwrap();
    let workshop = Workshop::open(settings(home.path(), &script("made"))).unwrap();
    let (work, version) = work(&workshop, "acme", "text");
    assert!(workshop.get(&version).await.is_none());
    assert_eq!(workshop.build(&work, false).await.unwrap().source_us, 9);
    assert_eq!(content(&workshop.get(&version).await.unwrap()), "made");
    drop(workshop);
    let workshop = Workshop::open(settings(home.path(), "exit 1")).unwrap();
    assert!(workshop.has(&work.key));
    let (first, second) = tokio::join!(workshop.get(&version), workshop.get(&version));
    assert_eq!((content(&first.unwrap()), content(&second.unwrap())), ("made".into(), "made".into()));
    assert_eq!((workshop.counters.loads.get(), workshop.counters.hits.get()), (1, 1));
    workshop.retain(|key| *key != work.key);
    assert!(!workshop.has(&work.key));
    assert_eq!(std::fs::read_dir(home.path().join("work")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_damaged_file_is_a_miss_and_is_wanted_again() {
    let home = tempfile::tempdir().unwrap();
    let workshop = Workshop::open(settings(home.path(), &script("made"))).unwrap();
    let (work, version) = work(&workshop, "acme", "text");
    let mut wants = workshop.wants().unwrap();
    assert!(workshop.wants().is_none());
    workshop.build(&work, true).await.unwrap();
    workshop.memory.remove(&work.key);
    let path = workshop.path(&work.key);
    let mut bytes = std::fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&path, bytes).unwrap();
    assert!(workshop.get(&version).await.is_none());
    assert_eq!(wants.try_recv().unwrap(), "blog");
    assert_eq!(workshop.counters.misses.with_label_values(&["damaged"]).get(), 1);
    workshop.build(&work, true).await.unwrap();
    assert!(workshop.get(&version).await.is_some());
    assert_eq!(workshop.counters.rebuilds.get(), 2);
}

#[tokio::test]
async fn an_artifact_that_cells_cannot_use_is_built_again_once_and_then_left_alone() {
    let home = tempfile::tempdir().unwrap();
    let workshop = Workshop::open(settings(home.path(), &script("made"))).unwrap();
    let (work, version) = work(&workshop, "acme", "text");
    let mut wants = workshop.wants().unwrap();
    for wanted in [true, false] {
        workshop.build(&work, false).await.unwrap();
        assert!(workshop.get(&version).await.is_some());
        workshop.unfit(&version, "it is odd");
        assert_eq!(wants.try_recv().is_ok(), wanted);
    }
    workshop.build(&work, false).await.unwrap();
    assert!(workshop.get(&version).await.is_none());
    let (_, other) = self::work(&workshop, "acme", "another text");
    assert!(workshop.get(&other).await.is_none());
    workshop.unfit(&FunctionVersion::new(spec("a", "b", "c"), "a".into()), "it has none");
    assert_eq!(workshop.counters.unfit.get(), 2);
}

#[tokio::test]
async fn a_builder_that_fails_leaves_nothing_behind() {
    let home = tempfile::tempdir().unwrap();
    let workshop = Workshop::open(settings(home.path(), "exit 1")).unwrap();
    let (work, _) = work(&workshop, "acme", "text");
    assert!(matches!(workshop.build(&work, false).await, Err(NotBuilt::Died(_))));
    assert!(!workshop.has(&work.key));
    assert_eq!(workshop.counters.building.get(), 0);
    assert_eq!(std::fs::read_dir(home.path().join("work")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_version_that_does_not_start_leaves_no_artifact() {
    let home = tempfile::tempdir().unwrap();
    let report = BuildReport { outcome: Outcome::StartupFailed, artifact: true, ..BuildReport::from_source(0) };
    let script = format!("cat > /dev/null; echo '{}'", serde_json::to_string(&report).unwrap());
    let workshop = Workshop::open(settings(home.path(), &script)).unwrap();
    let (work, _) = work(&workshop, "acme", "text");
    assert_eq!(workshop.build(&work, false).await.unwrap().outcome, Outcome::StartupFailed);
    assert!(!workshop.has(&work.key));
}
