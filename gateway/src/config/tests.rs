use super::*;

const EXAMPLE: &str = include_str!("../../node.example.toml");

fn refusal(text: &str) -> String {
    NodeConfig::parse("node.toml", text).unwrap_err().to_string()
}

/// The example's commented-out settings, switched on: a line `#key = value` or `#[table]` is one,
/// a line `# text` is prose.
fn uncommented() -> String {
    EXAMPLE
        .lines()
        .map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ') && !rest.is_empty()).unwrap_or(line))
        .map(|line| format!("{line}\n"))
        .collect()
}

#[test]
fn the_example_as_it_is_means_the_defaults() {
    assert_eq!(NodeConfig::parse("node.example.toml", EXAMPLE).unwrap(), NodeConfig::default());
}

#[test]
fn every_setting_the_example_shows_is_the_default_except_tls_and_trust_groups() {
    let shown = NodeConfig::parse("node.example.toml", &uncommented()).unwrap();
    assert_eq!(shown.public.tls.len(), 2);
    assert_eq!(shown.trust_groups["family"], ["acme", "acme-staging"]);
    assert_eq!(shown.egress.open, ["internal.example:443"]);
    let rest = NodeConfig {
        public: Public { tls: Vec::new(), ..shown.public },
        trust_groups: BTreeMap::new(),
        egress: Egress::default(),
        ..shown
    };
    assert_eq!(rest, NodeConfig::default());
}

#[test]
fn the_example_shows_every_setting() {
    let text = uncommented();
    let Err(unknown) = toml::from_str::<NodeConfig>("nonsense = 1") else { panic!("accepted") };
    let mut keys: Vec<String> = quoted(unknown.message());
    for table in
        ["public", "admin", "http", "limits", "cells", "artifacts", "tenants", "node", "shutdown", "egress", "log"]
    {
        let Err(unknown) = toml::from_str::<NodeConfig>(&format!("[{table}]\nnonsense = 1")) else {
            panic!("accepted")
        };
        keys.extend(quoted(unknown.message()));
    }
    assert!(keys.len() > 40, "{keys:?}");
    for key in keys.iter().filter(|key| *key != "nonsense") {
        let written = text.lines().any(|line| {
            let line = line.trim_start_matches('[').trim_start_matches("public.");
            line.strip_prefix(key.as_str()).is_some_and(|rest| rest.starts_with([' ', ']', '.']))
        });
        assert!(written, "the example does not show `{key}`");
    }
}

fn quoted(message: &str) -> Vec<String> {
    message.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn an_empty_file_means_the_defaults() {
    assert_eq!(NodeConfig::parse("node.toml", "").unwrap(), NodeConfig::default());
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_the_known_ones() {
    let message = refusal("data_dir = \"d\"\n\n[http]\nidle_timeout_ms = 5000\nidle_timout_ms = 5\n");
    assert!(message.starts_with("node.toml:5: `http.idle_timout_ms`: unknown field"), "{message}");
    assert!(message.contains("`idle_timeout_ms`"), "{message}");
    let message = refusal("[https]\nx = 1\n");
    assert!(message.starts_with("node.toml:1: `https`: unknown field"), "{message}");
}

#[test]
fn a_wrong_type_is_named_with_its_line_and_what_was_expected() {
    let message = refusal("[http]\n# a comment\nheaders_max = \"many\"\n");
    assert_eq!(message, "node.toml:3: `http.headers_max`: invalid type: string \"many\", expected u32");
    let message = refusal("[http]\nheaders_max = -1\n");
    assert!(message.starts_with("node.toml:2: `http.headers_max`: invalid value: integer `-1`, expected"), "{message}");
    let message = refusal("[log]\nformat = \"xml\"\n");
    assert!(message.starts_with("node.toml:2: `log.format`: unknown variant `xml`, expected"), "{message}");
    let message = refusal("[cells]\nstart = \"fast\"\n");
    assert!(message.starts_with("node.toml:2: `cells.start`: unknown variant `fast`, expected"), "{message}");
    let message = refusal("[[public.tls]]\ncert = \"a.pem\"\n");
    assert!(message.starts_with("node.toml:1: `public.tls`: missing field `key`"), "{message}");
}

#[test]
fn an_address_that_is_none_is_named_with_an_example() {
    for bad in ["localhost", ":80", "127.0.0.1", "http://127.0.0.1:80"] {
        let message = refusal(&format!("[public]\nlisten = \"{bad}\"\n"));
        assert!(message.starts_with(&format!("node.toml:2: `public.listen`: invalid value \"{bad}\"")), "{message}");
        assert!(message.contains("such as \"127.0.0.1:3000\""), "{message}");
    }
}

#[test]
fn a_value_out_of_range_is_named_with_its_line_and_the_range() {
    assert_eq!(
        refusal("[shutdown]\n\ndrain_ms = 9999999\n"),
        "node.toml:3: `shutdown.drain_ms`: is 9999999, expected 0 to 600000"
    );
    assert_eq!(
        refusal("limits = { wall_ms = 10,\n heap_mb = 1 }\n"),
        "node.toml:2: `limits.heap_mb`: is 1, expected 8 to 2048"
    );
    assert_eq!(
        refusal("limits.heap_mb = 1024\n"),
        "node.toml: `cells.memory_mb`: is 512, expected at least limits.heap_mb (1024)"
    );
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    assert!(refusal("[admin]\nlisten = \"127.0.0.1:3000\"").contains("expected another address"));
    assert!(refusal("[public]\nbase_domain = \"Example.com\"").contains("expected a domain in lower case"));
    assert!(refusal("[cells]\nspare_isolates = 64").contains("more than cells.spare_isolates"));
    let twice = refusal("[trust_groups]\na = [\"x\", \"y\"]\nb = [\"y\"]\n");
    assert_eq!(twice, "node.toml:3: `trust_groups.b`: names \"y\", expected a tenant that is not in \"a\" already");
    assert!(refusal("[trust_groups]\na = [\"X\"]\n").contains("expected lower-case letters"));
}

#[test]
fn text_that_is_no_toml_is_refused_with_its_line() {
    let message = refusal("data_dir = \"d\"\n[http\n");
    assert!(message.starts_with("node.toml:2: "), "{message}");
}

#[test]
fn a_group_is_never_taken_for_a_tenant() {
    let config = NodeConfig::parse("node.toml", "[trust_groups]\nacme = [\"a\", \"b\"]\n").unwrap();
    assert_eq!(config.cell_group("a"), "@acme");
    assert_eq!(config.cell_group("b"), "@acme");
    assert_eq!(config.cell_group("acme"), "acme");
}

#[test]
fn paths_in_a_file_are_taken_from_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("node.toml");
    std::fs::write(&path, "data_dir = \"d\"\n[[public.tls]]\ncert = \"c.pem\"\nkey = \"/etc/k.pem\"\n").unwrap();
    let config = NodeConfig::load(&path).unwrap();
    assert_eq!(config.data_dir, folder.path().join("d"));
    assert_eq!(config.tls_files(), [(folder.path().join("c.pem").as_path(), Path::new("/etc/k.pem"))]);
    let message = NodeConfig::load(&folder.path().join("none.toml")).unwrap_err().to_string();
    assert!(message.contains("none.toml: cannot be read"), "{message}");
}
