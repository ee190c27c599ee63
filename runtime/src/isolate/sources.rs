//! Module text as V8 external strings: it stays where it is, outside every heap and snapshot, and
//! is shared by all isolates of a function version in a process.
//!
//! A snapshot refers to such a string by its position among the external references, so the
//! number of positions is fixed: the first modules of a deployment, in the order of their paths,
//! take one each, and every other position holds an empty string.

use super::Mapped;
use deno_core::v8;
use isle_wire::{FunctionSpec, ModuleKind, ModuleSource, TextAt, UnpackError, text_at};

/// Positions for modules among the external references. Bundles have one module; what is beyond
/// this, or is not ASCII, lives in the heap as an ordinary string.
pub const SLOTS: usize = 16;

static EMPTY: v8::OneByteConst = v8::String::create_external_onebyte_const(b"");

struct External {
    path: String,
    string: Box<v8::OneByteConst>,
    /// What `string` points to if it is nobody else's; never touched, only kept.
    _text: Option<Box<[u8]>>,
}

fn is_external(module: &ModuleSource) -> bool {
    module.kind == ModuleKind::JavaScript && module.text.is_ascii()
}

/// The module texts of one function version.
#[derive(Default)]
pub struct Sources {
    externals: Vec<External>,
    /// What the others point to.
    _mapped: Option<Mapped>,
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
                External { path: path.clone(), string, _text: Some(text) }
            })
            .collect();
        Sources { externals, _mapped: None }
    }

    /// As [`Sources::of`], of texts that a gateway packed apart, which nobody can change: they are used
    /// where they are. What cannot be used so is copied into `spec`.
    ///
    /// # Errors
    /// A text is not where it should be, or no UTF-8.
    pub fn mapped(spec: &mut FunctionSpec, places: &[TextAt], texts: Mapped) -> Result<Sources, UnpackError> {
        let mut externals = Vec::new();
        for ((path, module), place) in spec.modules.iter_mut().zip(places) {
            if module.kind != ModuleKind::JavaScript || !place.ascii || externals.len() == SLOTS {
                module.text = text_at(path, texts.bytes(), place)?;
                continue;
            }
            let text = texts.bytes().get(place.range.clone()).ok_or(UnpackError::Length)?;
            // SAFETY: the mapping is of a sealed file and is kept beside the string, for as long as it.
            let forever: &'static [u8] = unsafe { std::slice::from_raw_parts(text.as_ptr(), text.len()) };
            // SAFETY: the text is ASCII: the gateway looked when it packed it, and a sealed file stays
            // as it is. Looking again would have the kernel map all of it in every cold start.
            let string = unsafe { v8::String::create_external_onebyte_const_unchecked(forever) };
            externals.push(External { path: path.clone(), string: Box::new(string), _text: None });
        }
        Ok(Sources { externals, _mapped: Some(texts) })
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
