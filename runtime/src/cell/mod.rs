//! A cell: the process in which one tenant's functions run.
//!
//! ```text
//!            socket (fd 0)                 board (fd 1)
//!                 │                             ▲ "begun"
//!   reader ───────┤                             │
//!     │ decodes   │            ┌── isolate thread: version A ──┐
//!     ├─ queue A ─┼────────────┤── isolate thread: version A ──┤── outbox ──▶ socket
//!     ├─ queue B ─┼────────────┴── isolate thread: version B ──┘
//!     │           │               spare, spare (base snapshot restored, nobody's yet)
//!   governor: limits, starts, spares, eviction, reports        anchor: keeps V8's shared heap
//! ```
//!
//! The process is started with its socket as standard input, the board as standard output, and
//! nothing else. It may die at any time; what that costs is its own tenant's invocations.

mod bodies;
mod console;
mod exchange;
mod governor;
mod outbox;
mod pool;
mod resident;
mod spares;
mod starts;
mod version;

use crate::clock;
use crate::egress::Fetches;
use crate::function::Function;
use crate::isolate::platform::{self, Urgency, set_urgency};
use crate::isolate::{Begun, CODE_RANGE_BYTES, Isolate, Mapped, Receiver, set_development};
use crate::snapshot::artifact::Artifact;
use crate::snapshot::caches;
use crate::snapshot::web::Bases;
use bodies::{Broken, Collected, Collecting, Inbound, Outgoing, Piece};
use bytes::{Bytes, BytesMut};
use governor::{Memory, Wake, Watched};
use isle_wire::{
    CellConfig, Decoder, Frame, FunctionSpec, Invoke, Outcome, PROTOCOL_VERSION, ResponseFrame, StartKind, slot_of,
};
use outbox::Outbox;
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, Weak};
use std::thread::Thread;
use std::time::Instant;
use version::{Job, Version};

/// What the threads of a cell share.
pub struct Cell {
    config: CellConfig,
    bases: Bases,
    /// The base snapshot's file name: what artifacts must have been made on.
    base_name: String,
    anchor: OnceLock<Thread>,
    memory: Memory,
    /// Whether isolates have ended whose memory is still kept for others.
    kept_back: AtomicBool,
    outbox: Arc<Outbox>,
    begun: Begun,
    inbound: Inbound,
    outgoing: Outgoing,
    fetches: Arc<Fetches>,
    versions: RwLock<HashMap<u32, Arc<Version>>>,
    /// Those that the gateway has unloaded and that are not gone yet.
    retired: Mutex<Vec<Weak<Version>>>,
    /// Invocations that go on although they are answered.
    lingering: AtomicUsize,
    books: spares::Books,
    watched: Watched,
    wake: Wake,
    in_flight: AtomicUsize,
    ready: AtomicBool,
}

/// The process's whole life as a cell.
pub fn main() -> ExitCode {
    // A thread that panics leaves books and locks that nobody can trust. The process ends, the
    // gateway says what died with it, and a fresh cell takes over.
    std::panic::set_hook(Box::new(|panic| {
        eprintln!("isle cell: {panic}");
        std::process::abort();
    }));
    match live() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("isle cell: {error}");
            ExitCode::from(70)
        }
    }
}

fn live() -> io::Result<()> {
    platform::close_inherited();
    let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let begun = Begun::new(&File::from(io::stdout().as_fd().try_clone_to_owned()?))?;
    let (mut decoder, mut receiver) = (Decoder::default(), Receiver::default());
    let config = match next_frame(&socket, &mut receiver, &mut decoder)? {
        Some(Frame::Configure(json)) => serde_json::from_slice::<CellConfig>(&json).map_err(io::Error::other)?,
        _ => return Err(io::Error::other("the first frame is not a configuration")),
    };
    if config.protocol != PROTOCOL_VERSION {
        return Err(io::Error::other("the gateway speaks another protocol: was the binary replaced?"));
    }
    let bases = Bases::open(Path::new(&config.base_snapshot))?;
    caches::use_for(Path::new(&config.base_snapshot));
    clock::set(config.clock);
    set_development(config.dev);
    confine(&config)?;
    // V8's own threads inherit it: compiling and collecting beside what serves can wait.
    set_urgency(Urgency::Helping);
    platform::init();
    set_urgency(Urgency::Serving);
    let outbox = Arc::new(Outbox::new(socket.try_clone()?));
    let base_name = Path::new(&config.base_snapshot).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let cell = Arc::new(Cell {
        config,
        bases,
        fetches: Fetches::new(outbox.clone()),
        base_name,
        anchor: OnceLock::new(),
        memory: Memory::open()?,
        kept_back: AtomicBool::new(false),
        outbox,
        begun,
        inbound: Inbound::default(),
        outgoing: Outgoing::default(),
        versions: RwLock::default(),
        retired: Mutex::default(),
        lingering: AtomicUsize::new(0),
        books: spares::Books::default(),
        watched: Watched::default(),
        wake: Wake::default(),
        in_flight: AtomicUsize::new(0),
        ready: AtomicBool::new(false),
    });
    cast_anchor(&cell)?;
    cell.refill_spares();
    if cell.config.spare_isolates == 0 {
        cell.spare_ready();
    }
    let governed = cell.clone();
    std::thread::Builder::new().name("governor".to_owned()).spawn(move || governor::run(&governed))?;
    Reader { cell, receiver, begun: Vec::new() }.run(&socket, &mut decoder)
}

/// Gives up what a cell does not need: its session, its folder, core files, written files, new
/// privileges, and memory beyond the limit. What is left to the kernel is said in the README.
fn confine(config: &CellConfig) -> io::Result<()> {
    use nix::sys::resource::{Resource, setrlimit};
    // Fails when the process leads a session already, which is as good.
    let _ = nix::unistd::setsid();
    std::env::set_current_dir("/")?;
    nix::sys::prctl::set_no_new_privs()?;
    // The memory of a cell is one tenant's; no other process of the same user may attach to it.
    nix::sys::prctl::set_dumpable(false)?;
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    setrlimit(Resource::RLIMIT_FSIZE, 0, 0)?;
    setrlimit(Resource::RLIMIT_NOFILE, 64, 64)?;
    limit_memory(config, 1)
}

/// Has the kernel limit the cell's writable memory to what is configured, beside what its isolates
/// (the anchor not counted) set aside for code.
fn limit_memory(config: &CellConfig, isolates: u32) -> io::Result<()> {
    use nix::sys::resource::{Resource, setrlimit};
    let hard = memory_limit(config, config.isolates_max.max(isolates));
    setrlimit(Resource::RLIMIT_DATA, memory_limit(config, isolates), hard)?;
    Ok(())
}

/// The limit with so many isolates, in bytes.
fn memory_limit(config: &CellConfig, isolates: u32) -> u64 {
    (u64::from(config.memory_mb) << 20) + u64::from(isolates + 1) * CODE_RANGE_BYTES as u64
}

/// An isolate that lives as long as the process, on a thread that does nothing but give memory back
/// when isolates have ended.
fn cast_anchor(cell: &Arc<Cell>) -> io::Result<()> {
    let (made, wait) = std::sync::mpsc::sync_channel(1);
    let anchored = cell.clone();
    let thread = std::thread::Builder::new().name("anchor".to_owned()).spawn(move || {
        let Ok(executor) = tokio::runtime::Builder::new_current_thread().build() else { return };
        let _entered = executor.enter();
        let console = console::Console::new(anchored.outbox.clone());
        let mut anchor = Isolate::new(anchored.bases.base(), 16 << 20, Box::new(console::Sink(console)));
        let _ = made.send(());
        // Nobody waits for memory to be given back.
        set_urgency(Urgency::Background);
        loop {
            std::thread::park();
            anchored.kept_back.store(false, Ordering::Release);
            anchor.collect();
            platform::give_back_memory();
        }
    })?;
    let _ = cell.anchor.set(thread.thread().clone());
    wait.recv().map_err(|_| io::Error::other("the base snapshot could not be restored"))
}

fn next_frame(socket: &UnixStream, receiver: &mut Receiver, decoder: &mut Decoder) -> io::Result<Option<Frame>> {
    loop {
        if let Some(frame) = decoder.next_frame().map_err(io::Error::other)? {
            return Ok(Some(frame));
        }
        if !fill(socket, receiver, &mut decoder.buffer)? {
            return Ok(None);
        }
    }
}

/// Reads once; `false` at the end. The bytes go behind what the buffer holds.
fn fill(socket: &UnixStream, receiver: &mut Receiver, buffer: &mut BytesMut) -> io::Result<bool> {
    const CHUNK: usize = 64 << 10;
    let held = buffer.len();
    buffer.resize(held + CHUNK, 0);
    let read = receiver.read(socket, &mut buffer[held..]);
    buffer.truncate(held + *read.as_ref().unwrap_or(&0));
    Ok(read? > 0)
}

impl Cell {
    /// The versions, each counted once.
    pub fn versions(&self) -> Vec<Arc<Version>> {
        self.versions.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Those of them that have requests waiting for an isolate.
    pub fn waiting_versions(&self) -> Vec<Arc<Version>> {
        let waits = |version: &Arc<Version>| !version.queue().jobs.is_empty();
        let versions = self.versions.read().unwrap_or_else(PoisonError::into_inner);
        let mut waiting: Vec<_> = versions.values().filter(|version| waits(version)).cloned().collect();
        drop(versions);
        let retired = self.retired.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.extend(retired.iter().filter_map(Weak::upgrade).filter(waits));
        waiting
    }

    fn version(&self, number: u32) -> Option<Arc<Version>> {
        self.versions.read().unwrap_or_else(PoisonError::into_inner).get(&number).cloned()
    }

    /// Invocations in the cell.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::SeqCst)
    }

    /// An invocation is answered and goes on. The gateway is told of the first, before it sees the
    /// answer, and of the last.
    pub fn linger(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.outbox.append(|out| {
            if self.lingering.fetch_add(1, Ordering::Relaxed) == 0 {
                Frame::Lingers(true).encode(out);
            }
        });
    }

    /// One of those is over.
    pub fn rest(&self) {
        self.ended(1);
        self.outbox.append(|out| {
            if self.lingering.fetch_sub(1, Ordering::Relaxed) == 1 {
                Frame::Lingers(false).encode(out);
            }
        });
    }

    /// So many invocations have ended.
    pub fn ended(&self, count: usize) {
        self.in_flight.fetch_sub(count, Ordering::Relaxed);
    }

    /// Ends an invocation that came to nothing.
    fn fail(&self, id: u32, outcome: Outcome) {
        self.ended(1);
        let response = ResponseFrame::failed(outcome, Bytes::new());
        self.outbox.append(|out| Frame::encode_response(id, &response, out));
    }

    /// The gateway may send this many bytes more of the request's body.
    fn credit(&self, id: u32, bytes: u32) {
        if bytes > 0 {
            self.outbox.append(|out| Frame::Credit { id, bytes }.encode(out));
        }
    }

    /// Sets a request aside until its body is whole; returns it when it is. It may also end here.
    fn collect(&self, job: Job, version: &Arc<Version>) -> Option<Job> {
        let (id, limit) = (job.id, version.limits().request_body_bytes_max as usize);
        let collecting = Collecting { job, version: version.clone(), limit };
        match self.inbound.collect(id, collecting) {
            Collected::Whole(whole) => return Some(whole.job),
            Collected::Coming(bytes) => self.credit(id, bytes),
            Collected::TooLarge => self.fail(id, Outcome::RequestTooLarge),
            Collected::Broken => self.fail(id, Outcome::Cancelled),
        }
        None
    }

    /// The version's artifact cannot be used: it starts without, and the gateway is told, once.
    pub fn unfit(&self, version: &Version, why: &str) {
        if version.mark_unfit() {
            self.tell_unfit(version.number, why.to_owned());
        }
    }

    fn tell_unfit(&self, version: u32, why: String) {
        self.outbox.append(|out| Frame::Unfit { version, why }.encode(out));
    }

    /// Has free memory given back to the kernel, by a thread that serves nobody.
    pub fn give_back_memory(&self) {
        if let Some(anchor) = self.anchor.get() {
            anchor.unpark();
        }
    }

    /// Called when a spare is ready; the first one makes the cell ready.
    pub fn spare_ready(&self) {
        if !self.ready.swap(true, Ordering::AcqRel) {
            self.outbox.send(&Frame::Ready(std::process::id()));
        }
    }
}

/// The thread that reads the socket and hands out what comes.
struct Reader {
    cell: Arc<Cell>,
    receiver: Receiver,
    /// By slot of the gateway's: the last invocation there, and of which version.
    begun: Vec<(u32, Weak<Version>)>,
}

impl Reader {
    fn run(mut self, socket: &UnixStream, decoder: &mut Decoder) -> io::Result<()> {
        let mut touched: Vec<Arc<Version>> = Vec::new();
        while fill(socket, &mut self.receiver, &mut decoder.buffer)? {
            while let Some(frame) = decoder.next_frame().map_err(io::Error::other)? {
                self.take(frame, &mut touched);
            }
            // One wake for a batch of frames, not one for each.
            for version in touched.drain(..) {
                self.dispatch(&version);
            }
            self.cell.outbox.flush();
        }
        // The gateway closed the socket: the cell's life is over.
        std::process::exit(0)
    }

    fn take(&mut self, frame: Frame, touched: &mut Vec<Arc<Version>>) {
        match frame {
            Frame::Invoke { id, invoke } => self.invoke(id, invoke, touched),
            Frame::Body { id, last, data } => self.body(id, last, data, touched),
            Frame::Credit { id, bytes } => self.cell.outgoing.credit(id, bytes as usize, &self.cell.outbox),
            Frame::Cancel { id } => self.cancel(id),
            Frame::Load { version, plan, artifact, texts, spec } => {
                // Whatever comes of it: the next frame's descriptors must not be these.
                let artifact = if artifact { self.receiver.take_file() } else { None };
                let texts = if texts { self.receiver.take_file() } else { None };
                if let Err(error) = self.load(version, plan, artifact, texts, &spec) {
                    eprintln!("isle cell: version {version} cannot be read: {error}");
                }
            }
            Frame::Unload { version } => self.unload(version),
            Frame::Check { version } => self.check(version),
            Frame::Evict { version } => self.evict(version),
            Frame::Fetch { id, frame } => self.cell.fetches.take(id, frame),
            Frame::Ping(number) => self.cell.outbox.append(|out| Frame::Pong(number).encode(out)),
            // What only a cell says, a gateway does not.
            Frame::Configure(_)
            | Frame::Gone { .. }
            | Frame::Lingers(_)
            | Frame::Ready(_)
            | Frame::Checked { .. }
            | Frame::Response { .. }
            | Frame::End { .. }
            | Frame::Console(_)
            | Frame::Unfit { .. }
            | Frame::Pong(_)
            | Frame::Stats(_) => {}
        }
    }

    fn invoke(&mut self, id: u32, invoke: Invoke, touched: &mut Vec<Arc<Version>>) {
        let Some(version) = touched
            .iter()
            .find(|version| version.number == invoke.version)
            .cloned()
            .or_else(|| self.cell.version(invoke.version))
        else {
            return self.fail(id, Outcome::Unavailable);
        };
        self.cell.in_flight.fetch_add(1, Ordering::SeqCst);
        let slot = slot_of(id) as usize;
        if self.begun.len() <= slot {
            self.begun.resize_with(slot + 1, Default::default);
        }
        self.begun[slot] = (id, Arc::downgrade(&version));
        let mut job = Job { id, invoke, arrived: Instant::now() };
        if job.invoke.body_follows {
            self.cell.inbound.open(id);
            // Where it is not known yet, the isolate that takes the job will say.
            if version.collects() == Some(true) {
                match self.cell.collect(job, &version) {
                    Some(whole) => job = whole,
                    None => return,
                }
            }
        }
        self.enqueue(job, version, touched);
    }

    fn enqueue(&self, job: Job, version: Arc<Version>, touched: &mut Vec<Arc<Version>>) {
        version.push(job);
        if !touched.iter().any(|known| Arc::ptr_eq(known, &version)) {
            touched.push(version);
        }
    }

    /// Wakes an isolate for what was queued, or starts one.
    fn dispatch(&self, version: &Arc<Version>) {
        let mut queue = version.queue();
        let parked = queue.parked.pop();
        let cold = queue.residents == 0;
        drop(queue);
        match parked {
            Some(parked) => parked.waker.wake(),
            None if cold => self.cell.consider(version),
            None => {}
        }
        self.cell.wake.call_if_asleep();
    }

    fn body(&mut self, id: u32, last: bool, data: Bytes, touched: &mut Vec<Arc<Version>>) {
        match self.cell.inbound.piece(id, last, data) {
            Piece::Credit(bytes) => self.cell.credit(id, bytes),
            Piece::Whole(collecting) => {
                let Collecting { mut job, version, .. } = *collecting;
                // Its wait for an isolate begins now.
                job.arrived = Instant::now();
                self.enqueue(job, version, touched);
            }
            Piece::TooLarge => self.cell.fail(id, Outcome::RequestTooLarge),
            Piece::Held | Piece::Stray => {}
        }
    }

    fn fail(&self, id: u32, outcome: Outcome) {
        let response = ResponseFrame::failed(outcome, Bytes::new());
        self.cell.outbox.append(|out| Frame::encode_response(id, &response, out));
    }

    fn cancel(&mut self, id: u32) {
        self.cell.outgoing.close(id);
        // Every invocation is answered once, also when nobody waits: its slot is taken until then.
        let begun = self.begun.get(slot_of(id) as usize).filter(|(begun, _)| *begun == id);
        let version = begun.and_then(|(_, version)| version.upgrade());
        let gone =
            self.cell.inbound.break_off(id) == Broken::Collecting || version.is_some_and(|version| version.cancel(id));
        if gone {
            self.cell.inbound.close(id);
            self.cell.fail(id, Outcome::Cancelled);
        }
    }

    fn load(
        &self,
        number: u32,
        plan: StartKind,
        artifact: Option<File>,
        texts: Option<File>,
        spec: &[u8],
    ) -> io::Result<()> {
        let map = |spec: &FunctionSpec| {
            let mapped = Artifact::map(&artifact?, &self.cell.base_name, &spec.artifact);
            mapped.map_err(|unfit| self.cell.tell_unfit(number, format!("the artifact {unfit}"))).ok()
        };
        let function = match texts {
            Some(texts) => {
                let texts = Mapped::read_only(&texts)?;
                let (spec, places) = FunctionSpec::unpack_apart(spec).map_err(io::Error::other)?;
                let artifact = map(&spec);
                Function::mapped(spec, &places, texts, artifact).map_err(io::Error::other)?
            }
            None => {
                let spec = FunctionSpec::unpack(spec).map_err(io::Error::other)?;
                let artifact = map(&spec);
                Function::resident(spec, artifact)
            }
        };
        let version = Version::new(number, function, plan);
        self.cell.versions.write().unwrap_or_else(PoisonError::into_inner).insert(number, version);
        Ok(())
    }

    fn unload(&self, number: u32) {
        let removed = self.cell.versions.write().unwrap_or_else(PoisonError::into_inner).remove(&number);
        if let Some(version) = removed {
            let mut retired = self.cell.retired.lock().unwrap_or_else(PoisonError::into_inner);
            retired.retain(|known| known.strong_count() > 0);
            retired.push(Arc::downgrade(&version));
            drop(retired);
            version.retire(&self.cell.outbox);
        }
    }

    fn check(&self, number: u32) {
        match self.cell.version(number) {
            Some(version) => {
                let mut queue = version.queue();
                queue.residents += 1;
                queue.starting += 1;
                drop(queue);
                self.cell.start(&version, true);
            }
            None => self.cell.refuse_check(number, "the version is not known to this cell"),
        }
    }

    fn evict(&self, number: u32) {
        let now = Instant::now();
        for version in self.cell.versions() {
            if number == 0 || version.number == number {
                version.evict_all(now);
            }
        }
    }
}
