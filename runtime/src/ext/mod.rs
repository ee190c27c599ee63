//! The web platform in an isolate: deno's extensions, our own few ops, and `bootstrap.js`, which
//! puts the globals together.
//!
//! The extensions' scripts are not loaded by deno_core. They are compiled by [`op_isle_compile`]
//! from static one-byte strings whose addresses stand in the list of external references, always
//! in the same order. That keeps script text out of every snapshot and heap, and it keeps the
//! indices of the references the same in a snapshot that is made on top of another: deno_core's
//! own way would lose them there.
//!
//! Of deno_fetch only scripts are used. Its ops are not registered: a cell has no network, and an op
//! that is not there cannot be reached. Two of the same names ask the gateway instead
//! ([`crate::egress`]).

mod bodies;
mod eddsa;
mod gcm;
mod lazy;
mod node;
mod ops;
mod prune;
mod scripts;
mod url;

use crate::clock;
use crate::egress::ops::{op_fetch, op_fetch_send, op_isle_fetch_pass};
use crate::isolate::Sources;
use deno_core::{Extension, OpDecl, v8};
use std::borrow::Cow;

pub use bodies::{BodyPort, Port, TOO_LARGE, Taken, UNWANTED};
pub use lazy::install as install_lazy;
pub use ops::{ConsoleSink, InvocationMark};
pub use prune::prune;
pub use scripts::{record, recorded_caches, use_caches};

include!(concat!(env!("OUT_DIR"), "/scripts.rs"));

/// What `bootstrap.js` leaves on the global object for Rust to take and remove.
pub const HOOKS_NAME: &str = "__isle";

/// The script that builds the globals. Run once, when the base snapshot is made.
pub const BOOTSTRAP: &str = include_str!("bootstrap.js");

deno_core::extension!(
    isle_ops,
    ops = [
        clock::ops::op_isle_date,
        clock::ops::op_isle_is_frozen,
        clock::ops::op_isle_now,
        eddsa::op_isle_eddsa,
        gcm::op_isle_aes_gcm,
        node::op_isle_digest,
        node::op_isle_pbkdf2,
        ops::op_isle_compile,
        ops::op_isle_console,
        ops::op_isle_node_modules,
        ops::op_isle_random,
        ops::op_isle_user_agent,
        bodies::op_isle_body_take,
        bodies::op_isle_body_arrived,
        bodies::op_isle_body_discard,
        bodies::op_isle_body_write,
        bodies::op_isle_body_room,
        bodies::op_isle_body_begin,
        op_fetch,
        op_fetch_send,
        op_isle_fetch_pass
    ],
);

/// What compiles the platform's common functions into the base snapshot. Run once, after [`BOOTSTRAP`].
pub const EXERCISE_BASE: &str = include_str!("exercise_base.js");

/// What makes and compiles what functions of the web use, for the snapshot that those start from.
pub const EXERCISE_WEB: &str = include_str!("exercise_web.js");

/// What compiles more than that, for code caches.
pub const EXERCISE_LAZY: &str = include_str!("exercise_lazy.js");

/// Operations that take the place of deno_web's of the same names.
fn own_in_place_of(name: &str) -> Option<OpDecl> {
    Some(match name {
        "op_now" => clock::ops::op_now(),
        "op_time_origin" => clock::ops::op_time_origin(),
        "op_url_parse" => url::op_url_parse(),
        "op_url_parse_with_base" => url::op_url_parse_with_base(),
        "op_url_get_serialization" => url::op_url_get_serialization(),
        "op_url_reparse" => url::op_url_reparse(),
        _ => return None,
    })
}

/// Whether an operation of deno_web's is one that functions can come to use.
fn is_wanted(name: &str) -> bool {
    !["op_broadcast_", "op_geometry_", "op_lock_manager_"].iter().any(|unwanted| name.starts_with(unwanted))
}

/// The extensions of every isolate, in the order that snapshots depend on. `sources` fills the
/// positions for a function's modules.
pub fn extensions(sources: &Sources) -> Vec<Extension> {
    let references: Vec<v8::ExternalReference> = SCRIPTS
        .iter()
        .map(|(_, text)| v8::ExternalReference { pointer: std::ptr::from_ref(text) as *mut std::ffi::c_void })
        .chain(crate::isolate::references())
        .chain([lazy::reference()])
        .chain(sources.references())
        .collect();
    let mut own = isle_ops::init();
    own.external_references = Cow::Owned(references);
    let mut web = without_scripts(deno_web::deno_web::init(
        deno_web::BlobStore::default_arc(),
        None,
        false,
        deno_web::InMemoryBroadcastChannel::default(),
    ));
    web.ops =
        web.ops.iter().filter(|op| is_wanted(op.name)).map(|op| own_in_place_of(op.name).unwrap_or(*op)).collect();
    // Every class costs each restore its constructor and accessors.
    web.objects = web.objects.iter().filter(|class| class.name.0 == "Console").copied().collect();
    vec![
        without_scripts(deno_webidl::deno_webidl::init()),
        web,
        without_scripts(deno_crypto::deno_crypto::init(None)),
        own,
    ]
}

/// As [`extensions`], for making the base snapshot.
pub fn extensions_of_base() -> Vec<Extension> {
    let mut extensions = extensions(&Sources::default());
    for extension in &mut extensions {
        if extension.name == "isle_ops" {
            extension.global_object_middleware = Some(prune::put_freezing_off);
        }
    }
    extensions
}

/// Where Node's modules are among the scripts.
const NODE: &str = "ext:isle_node/";

/// Node's modules that functions can import, without `node:`.
pub fn node_modules() -> impl Iterator<Item = &'static str> {
    SCRIPTS.iter().filter_map(|(name, _)| name.strip_prefix(NODE)?.strip_suffix(".js"))
}

/// Whether functions can import `node:name`.
pub fn is_node_module(name: &str) -> bool {
    node_modules().any(|known| known == name)
}

fn without_scripts(mut extension: Extension) -> Extension {
    extension.js_files = Cow::Borrowed(&[]);
    extension.esm_files = Cow::Borrowed(&[]);
    extension.lazy_loaded_esm_files = Cow::Borrowed(&[]);
    extension.lazy_loaded_js_files = Cow::Borrowed(&[]);
    extension.synthetic_esm_modules = Cow::Borrowed(&[]);
    extension.esm_entry_point = None;
    extension
}
