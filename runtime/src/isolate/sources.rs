//! Module text as V8 external strings: it stays where it is, outside every heap and snapshot, and
//! is shared by all isolates of a function version in a process.
//!
//! A snapshot refers to such a string by its position among the external references, so the
//! number of positions is fixed: the first modules of a deployment, in the order of their paths,
//! take one each, and every other position holds an empty string.

use deno_core::v8;
use isle_wire::{FunctionSpec, ModuleKind, ModuleSource};

/// Positions for modules among the external references. Bundles have one module; what is beyond
/// this, or is not ASCII, lives in the heap as an ordinary string.
pub const SLOTS: usize = 16;

static EMPTY: v8::OneByteConst = v8::String::create_external_onebyte_const(b"");

struct External {
    path: String,
    string: Box<v8::OneByteConst>,
    /// What `string` points to; never touched, only kept.
    _text: Box<[u8]>,
}

fn is_external(module: &ModuleSource) -> bool {
    module.kind == ModuleKind::JavaScript && module.text.is_ascii()
}

/// The module texts of one function version.
#[derive(Default)]
pub struct Sources {
    externals: Vec<External>,
}

// SAFETY: the strings are immutable after `of`; V8 reads them from any thread.
unsafe impl Send for Sources {}
// SAFETY: as above.
unsafe impl Sync for Sources {}

impl Sources {
    /// Copies the texts once. They live until the `Sources` is dropped, which must be after every
    /// isolate that was given them.
    pub fn of(spec: &FunctionSpec) -> Sources {
        Sources::new(spec.modules.iter().filter(|(_, m)| is_external(m)).map(|(path, m)| (path, m.text.clone())))
    }

    /// Takes the texts out of `spec`, so that there is one copy of each. As [`Sources::of`] otherwise.
    pub fn taken_from(spec: &mut FunctionSpec) -> Sources {
        let external = spec.modules.iter_mut().filter(|(_, module)| is_external(module));
        Sources::new(external.take(SLOTS).map(|(path, module)| (path, std::mem::take(&mut module.text))))
    }

    fn new<'a>(texts: impl Iterator<Item = (&'a String, String)>) -> Sources {
        let externals = texts
            .take(SLOTS)
            .map(|(path, text)| {
                let text: Box<[u8]> = text.into_bytes().into_boxed_slice();
                // SAFETY: the text is ASCII, and it is kept on the heap beside the string, unmoved,
                // for as long as the string; the borrow's end is the drop of both.
                let forever: &'static [u8] = unsafe { std::slice::from_raw_parts(text.as_ptr(), text.len()) };
                let string = Box::new(v8::String::create_external_onebyte_const(forever));
                External { path: path.clone(), string, _text: text }
            })
            .collect();
        Sources { externals }
    }

    /// The external string of a module, if it has one.
    ///
    /// The result must not be used after `self` is gone: an [`super::Isolate`] keeps its sources.
    pub(super) fn get(&self, path: &str) -> Option<&'static v8::OneByteConst> {
        let external = self.externals.iter().find(|external| external.path == path)?;
        // SAFETY: the box is not moved or freed before `self` is dropped, and the one caller hands
        // the string to an isolate that holds `self` until after its own end.
        Some(unsafe { &*std::ptr::from_ref(&*external.string) })
    }

    /// What goes into the fixed positions.
    pub fn references(&self) -> impl Iterator<Item = v8::ExternalReference> {
        (0..SLOTS).map(|slot| {
            let string = self.externals.get(slot).map_or(&EMPTY, |external| &*external.string);
            v8::ExternalReference { pointer: std::ptr::from_ref(string) as *mut std::ffi::c_void }
        })
    }
}
