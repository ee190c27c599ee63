//! What is stored stays, what refers to each other fits, and what is damaged is said to be.

use super::*;
use crate::control::bundle::{digest, id_of};

async fn with_tenants(dir: &Path) -> Store {
    let store = Store::open(dir).unwrap();
    for name in ["acme", "zeta"] {
        let tenant = Tenant { name: name.into(), token: TokenHash::of(name), created_at: 1 };
        store.add_tenant(tenant).await.unwrap();
    }
    store
}

fn deployment(tenant: &str, app: &str, content: &str, at: i64) -> NewDeployment {
    let blob = digest(content.as_bytes());
    NewDeployment {
        tenant: tenant.into(),
        app: app.into(),
        id: id_of(&blob),
        blob,
        content: content.into(),
        startup: "{}".into(),
        plans: Vec::new(),
        at,
    }
}

async fn deploy(store: &Store, app: &str, content: &str, at: i64) -> String {
    store.deploy(deployment("acme", app, content, at)).await.unwrap().current
}

async fn step_back(store: &Store, app: &str) -> Result<String, StoreError> {
    let target = store.rollback_target(app.into(), None).await?;
    Ok(store.roll_back(app.into(), target, 9).await?.current)
}

fn blob_path(dir: &Path, content: &str) -> PathBuf {
    let name = digest(content.as_bytes());
    dir.join("blobs").join(&name[..2]).join(name)
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let store = with_tenants(dir.path()).await;
    let one = deploy(&store, "blog", "one", 5).await;
    let two = deploy(&store, "blog", "two", 6).await;
    assert!(matches!(Store::open(dir.path()), Err(StoreError::Locked(_))), "one node at a time");
    drop(store);
    let store = Store::open(dir.path()).unwrap();
    let app = App { name: "blog".into(), tenant: "acme".into(), current: two.clone(), created_at: 5, updated_at: 6 };
    assert_eq!(store.apps().await.unwrap(), [app]);
    assert_eq!(store.load("blog".into(), one.clone()).await.unwrap().content, b"one");
    let listed = store.deployments("blog".into()).await.unwrap();
    let brief: Vec<_> = listed.iter().map(|d| (d.id.as_str(), d.current, d.bytes)).collect();
    assert_eq!(brief, [(two.as_str(), true, 3), (one.as_str(), false, 3)]);
    assert_eq!(store.tenants().await.unwrap()[1].name, "zeta");
}

#[tokio::test]
async fn rolling_back_goes_down_the_stack_and_can_name_any_deployment() {
    let dir = tempfile::tempdir().unwrap();
    let store = with_tenants(dir.path()).await;
    let one = deploy(&store, "blog", "one", 5).await;
    let two = deploy(&store, "blog", "two", 6).await;
    assert_eq!(deploy(&store, "blog", "one", 7).await, one);
    assert_eq!(step_back(&store, "blog").await.unwrap(), two);
    assert_eq!(step_back(&store, "blog").await.unwrap(), one);
    assert!(matches!(step_back(&store, "blog").await, Err(StoreError::NothingBefore)));
    let named = store.rollback_target("blog".into(), Some(two.clone())).await.unwrap();
    assert_eq!(store.roll_back("blog".into(), named, 8).await.unwrap().current, two);
    let unknown = Target { id: "none".into(), steps_back: false };
    assert!(matches!(store.roll_back("blog".into(), unknown, 8).await, Err(StoreError::DeploymentUnknown)));
    assert_eq!(store.apps().await.unwrap()[0].current, two, "a refused rollback changes nothing");
    let nowhere = Target { id: one, steps_back: false };
    assert!(store.roll_back("shop".into(), nowhere, 8).await.is_err());
}

#[tokio::test]
async fn an_app_belongs_to_one_tenant() {
    let dir = tempfile::tempdir().unwrap();
    let store = with_tenants(dir.path()).await;
    deploy(&store, "blog", "one", 5).await;
    let theirs = store.deploy(deployment("zeta", "blog", "two", 6)).await;
    assert!(matches!(theirs, Err(StoreError::AppUnknown)));
    let nobodys = store.deploy(deployment("nobody", "shop", "two", 6)).await;
    assert!(matches!(nobodys, Err(StoreError::TenantUnknown)));
    assert!(matches!(store.remove_tenant("acme".into()).await, Err(StoreError::TenantHasApps)));
    store.remove_app("blog".into()).await.unwrap();
    assert!(matches!(store.remove_app("blog".into()).await, Err(StoreError::AppUnknown)));
    store.remove_tenant("acme".into()).await.unwrap();
    assert!(matches!(store.remove_tenant("acme".into()).await, Err(StoreError::TenantUnknown)));
    let again = Tenant { name: "zeta".into(), token: TokenHash::of("x"), created_at: 1 };
    assert!(matches!(store.add_tenant(again).await, Err(StoreError::TenantExists)));
}

#[tokio::test]
async fn a_blob_lives_as_long_as_some_deployment_has_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = with_tenants(dir.path()).await;
    deploy(&store, "blog", "one", 5).await;
    deploy(&store, "shop", "one", 5).await;
    let path = blob_path(dir.path(), "one");
    store.remove_app("blog".into()).await.unwrap();
    assert!(path.exists());
    store.remove_app("shop".into()).await.unwrap();
    assert!(!path.exists());
    // A deploy that died between its blob and its commit.
    deploy(&store, "blog", "two", 5).await;
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, "one").unwrap();
    std::fs::write(path.with_extension("new"), "o").unwrap();
    drop(store);
    let store = Store::open(dir.path()).unwrap();
    assert!(!path.exists() && !path.with_extension("new").exists());
    assert!(blob_path(dir.path(), "two").exists());
    drop(store);
}

#[tokio::test]
async fn what_others_keep_among_the_blobs_stays_and_what_nobody_needs_goes() {
    let dir = tempfile::tempdir().unwrap();
    let store = with_tenants(dir.path()).await;
    deploy(&store, "blog", "one", 1).await;
    drop(store);
    let blobs = dir.path().join("blobs");
    let (theirs, left) = (tempfile::tempdir().unwrap(), blob_path(dir.path(), "one").with_file_name("left.new"));
    std::fs::write(theirs.path().join("letter"), "precious").unwrap();
    std::os::unix::fs::symlink(theirs.path(), blobs.join("old")).unwrap();
    std::fs::create_dir_all(blobs.join("lost+found/x")).unwrap();
    std::fs::create_dir_all(left.with_file_name("folder")).unwrap();
    std::fs::write(blobs.join("note"), "a file").unwrap();
    std::fs::write(&left, "half").unwrap();
    drop(Store::open(dir.path()).unwrap());
    assert!(!left.exists() && blob_path(dir.path(), "one").exists());
    assert!(theirs.path().join("letter").exists() && blobs.join("note").exists());
}

#[tokio::test]
async fn a_deployment_that_cannot_be_stored_leaves_nothing_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    let store = with_tenants(dir.path()).await;
    deploy(&store, "blog", "one", 5).await;
    // The blob is written, and the transaction refuses.
    for content in ["one", "two"] {
        let theirs = store.deploy(deployment("zeta", "blog", content, 6)).await;
        assert!(matches!(theirs, Err(StoreError::AppUnknown)));
    }
    assert!(!blob_path(dir.path(), "two").exists());
    assert_eq!(store.load("blog".into(), id_of(&digest(b"one"))).await.unwrap().content, b"one");
    // The blob itself does not find room.
    let aside = blob_path(dir.path(), "three").with_extension("new");
    std::fs::create_dir_all(aside.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink("/dev/full", &aside).unwrap();
    let full = store.deploy(deployment("acme", "blog", "three", 6)).await;
    assert!(matches!(full, Err(StoreError::Io(error)) if error.kind() == std::io::ErrorKind::StorageFull));
    assert!(aside.symlink_metadata().is_err());
    deploy(&store, "blog", "three", 7).await;
}

#[tokio::test]
async fn a_damaged_blob_is_reported_and_deploying_it_again_repairs_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = with_tenants(dir.path()).await;
    let id = deploy(&store, "blog", "one", 5).await;
    let path = blob_path(dir.path(), "one");
    for damage in
        [|path: &Path| std::fs::write(path, "0ne").unwrap(), |path: &Path| std::fs::remove_file(path).unwrap()]
    {
        damage(&path);
        assert!(matches!(store.load("blog".into(), id.clone()).await, Err(StoreError::Damaged(_))));
        deploy(&store, "blog", "one", 6).await;
        assert_eq!(store.load("blog".into(), id.clone()).await.unwrap().content, b"one");
    }
}

#[tokio::test]
async fn old_deployments_go_and_the_current_one_stays() {
    let dir = tempfile::tempdir().unwrap();
    let store = with_tenants(dir.path()).await;
    for number in 0..db::KEPT_MAX + 5 {
        deploy(&store, "blog", &number.to_string(), 5).await;
    }
    let listed = store.deployments("blog".into()).await.unwrap();
    assert_eq!(listed.len(), db::KEPT_MAX);
    assert!(listed[0].current);
    assert!(!blob_path(dir.path(), "0").exists() && blob_path(dir.path(), "5").exists());
}

#[tokio::test]
async fn a_plan_lives_as_long_as_some_deployment_has_it_and_its_build_is_ours() {
    let dir = tempfile::tempdir().unwrap();
    let store = with_tenants(dir.path()).await;
    let row = |key: &str, base: &str, plan: &str| PlanRow {
        function: "hello".into(),
        key: key.into(),
        base: base.into(),
        plan: plan.into(),
    };
    let known = async |store: &Store| store.plans(["k1", "k2"].map(str::to_owned).into()).await.unwrap();
    for app in ["blog", "shop"] {
        let new = NewDeployment { plans: vec![row("k1", "b1", "one")], ..deployment("acme", app, "one", 5) };
        store.deploy(new).await.unwrap();
    }
    assert_eq!(known(&store).await, HashMap::from([("k1".into(), "one".into())]));
    store.remove_app("blog".into()).await.unwrap();
    assert!(store.drop_unused_plans().await.unwrap().is_empty());
    let id = store.apps().await.unwrap()[0].current.clone();
    assert!(store.set_plans("shop".into(), id.clone(), vec![row("k2", "b2", "two")], 6).await.unwrap());
    assert!(!store.set_plans("blog".into(), id, vec![row("k3", "b2", "three")], 6).await.unwrap());
    assert_eq!(store.drop_unused_plans().await.unwrap(), ["k1"]);
    drop(store);
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.keep_plans_of("b2".into()).await.unwrap(), HashSet::from(["k2".into()]));
    assert!(store.keep_plans_of("b3".into()).await.unwrap().is_empty());
    assert!(known(&store).await.is_empty());
}
