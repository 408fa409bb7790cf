//! Captures that are read once for several workers, each of whom is lent every frame.
//!
//! Whoever comes first to where nobody was reads on, and what it read is kept until the last one has passed. Who is too far ahead waits for those behind; these
//! never wait for it, as what they need next is kept.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::portion::Portion;
use super::{CaptureFile, Captures, Dropped, Frame, Interface, Pause, Progress, Source, SourceError};
use crate::limit::{BATCH, PORTIONS_AHEAD};

/// One of several ways through the same captures.
pub struct Share {
    common: Arc<Common>,
    /// Which of the shares this is.
    number: usize,
    /// The portion to come.
    next: u64,
    /// What was met beside frames, and not taken yet.
    names: Vec<(IpAddr, String)>,
    pauses: Vec<Pause>,
    drops: Vec<Dropped>,
}

/// What was read of the captures by the time they were left.
pub struct Left {
    /// As [`Source::files`].
    pub files: Vec<CaptureFile>,
    /// As [`Source::interfaces`].
    pub interfaces: Vec<Interface>,
    /// As [`Captures::skipped`].
    pub skipped: u64,
}

/// What the shares have in common. Nobody waits for another who holds the captures, and nobody who holds the one lock asks for the other.
struct Common {
    captures: Mutex<Captures>,
    kept: Mutex<Kept>,
    /// Told where a step was read, or room made for one.
    changed: Condvar,
    bytes_read: Arc<AtomicU64>,
    bytes: Option<u64>,
    owner: Owner,
    shares: usize,
}

/// Tells which of so many shares alone has to look at a frame; none where all have to.
pub type Owner = fn(&Frame<'_>, usize) -> Option<usize>;

/// What was read, and not passed by all.
struct Kept {
    steps: VecDeque<Arc<Step>>,
    /// Number of the first of these.
    first: u64,
    /// What each share takes next; none of those that left.
    places: Vec<Option<u64>>,
    /// The share that reads the step behind these.
    reads: Option<usize>,
}

/// What one reading brought.
struct Step {
    portion: Result<Option<Portion>, SourceError>,
    /// For each frame the share that alone has to look at it, or [`ALL`]. Found once, by the one who has just read the bytes.
    owners: Vec<u16>,
    names: Vec<(IpAddr, String)>,
    pauses: Vec<Pause>,
    drops: Vec<Dropped>,
}

/// So many ways through captures of which nothing was read yet. Each is to be gone by a thread of its own: they wait for each other.
pub fn share(captures: Captures, shares: usize, owner: Owner) -> Vec<Share> {
    let (bytes_read, bytes) = captures.progress();
    let kept = Kept { steps: VecDeque::new(), first: 0, places: vec![Some(0); shares], reads: None };
    let common = Arc::new(Common { captures: Mutex::new(captures), kept: Mutex::new(kept), changed: Condvar::new(), bytes_read, bytes, owner, shares });
    let share = |number| Share { common: Arc::clone(&common), number, next: 0, names: Vec::new(), pauses: Vec::new(), drops: Vec::new() };
    (0..shares).map(share).collect()
}

impl Share {
    /// As [`Source::read`], and says of each frame whether this share has to look at it.
    ///
    /// # Errors
    /// The same, once for each share.
    pub fn read(&mut self, sink: &mut dyn FnMut(&[Frame<'_>], &[bool])) -> Result<Progress, SourceError> {
        let step = self.step();
        self.names.extend_from_slice(&step.names);
        self.pauses.extend_from_slice(&step.pauses);
        self.drops.extend_from_slice(&step.drops);
        match &step.portion {
            Err(fault) => Err(fault.clone()),
            Ok(None) => Ok(Progress::End),
            Ok(Some(portion)) => {
                let (number, mut owners, mut own) = (self.number as u16, &step.owners[..], [true; BATCH]);
                portion.lend(&mut |frames| {
                    let its = owners.split_off(..frames.len().min(owners.len())).unwrap_or_default();
                    own.iter_mut().zip(its).for_each(|(own, owner)| *own = *owner == number || *owner == ALL);
                    sink(frames, own.get(..frames.len()).unwrap_or_default());
                });
                Ok(Progress::More)
            }
        }
    }

    /// As [`Source::take_names`].
    pub fn take_names(&mut self) -> Vec<(IpAddr, String)> {
        std::mem::take(&mut self.names)
    }

    /// As [`Source::take_pauses`].
    pub fn take_pauses(&mut self) -> Vec<Pause> {
        std::mem::take(&mut self.pauses)
    }

    /// As [`Source::take_drops`].
    pub fn take_drops(&mut self) -> Vec<Dropped> {
        std::mem::take(&mut self.drops)
    }

    /// As [`Source::position`], of the one who is farthest.
    pub fn position(&self) -> (u64, Option<u64>) {
        let read = self.common.bytes_read.load(Ordering::Relaxed);
        (self.common.bytes.map_or(read, |bytes| read.min(bytes)), self.common.bytes)
    }

    /// Reads no further, so that nobody waits for this share. What was read by now.
    pub fn leave(self) -> Left {
        self.common.settle(self.number, None);
        let captures = held(&self.common.captures);
        Left { files: captures.files().to_vec(), interfaces: captures.interfaces().to_vec(), skipped: captures.skipped() }
    }

    /// The next step, read by whoever comes to it first.
    fn step(&mut self) -> Arc<Step> {
        let step = self.common.kept_step(self.number, self.next).unwrap_or_else(|| self.common.read_step());
        self.next += 1;
        self.common.settle(self.number, Some(self.next));
        step
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.common.settle(self.number, None);
    }
}

impl Common {
    /// A step, once it is there; none where it is this share's turn to read it.
    fn kept_step(&self, share: usize, number: u64) -> Option<Arc<Step>> {
        let mut kept = held(&self.kept);
        loop {
            let place = usize::try_from(number.saturating_sub(kept.first)).unwrap_or(usize::MAX);
            if let Some(step) = kept.steps.get(place) {
                return Some(Arc::clone(step));
            }
            if kept.reads.is_none() && kept.steps.len() < PORTIONS_AHEAD {
                kept.reads = Some(share);
                return None;
            }
            kept = self.changed.wait(kept).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Reads the step behind those that are kept.
    fn read_step(&self) -> Arc<Step> {
        let mut captures = held(&self.captures);
        let portion = captures.next_portion();
        let (names, pauses, drops) = (captures.take_names(), captures.take_pauses(), captures.take_drops());
        drop(captures);
        let owners = portion.as_ref().ok().and_then(Option::as_ref).map(|portion| self.owners(portion)).unwrap_or_default();
        let step = Arc::new(Step { portion, owners, names, pauses, drops });
        let mut kept = held(&self.kept);
        kept.steps.push_back(Arc::clone(&step));
        kept.reads = None;
        step
    }

    /// The owners of all frames; none where there is one share.
    fn owners(&self, portion: &Portion) -> Vec<u16> {
        let mut owners = Vec::new();
        if self.shares > 1 {
            let owner = |frame: &Frame<'_>| (self.owner)(frame, self.shares).and_then(|owner| u16::try_from(owner).ok()).unwrap_or(ALL);
            portion.lend(&mut |frames| owners.extend(frames.iter().map(owner)));
        }
        owners
    }

    /// Notes where a share is, if it has not left, and keeps no more than what somebody still needs.
    fn settle(&self, share: usize, place: Option<u64>) {
        let mut kept = held(&self.kept);
        if let Some(known) = kept.places.get_mut(share) {
            *known = place;
        }
        // One that panicked while it read leaves, too.
        kept.reads = kept.reads.filter(|reads| *reads != share);
        let needed = kept.places.iter().flatten().min().map_or(usize::MAX, |least| usize::try_from(least.saturating_sub(kept.first)).unwrap_or(usize::MAX));
        let done = needed.min(kept.steps.len());
        kept.steps.drain(..done);
        kept.first += done as u64;
        drop(kept);
        self.changed.notify_all();
    }
}

/// Every share has to look at such a frame.
const ALL: u16 = u16::MAX;

/// What a thread left that panicked is as good as ever: nothing is half done when a lock is given up.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::thread;

    use super::*;
    use crate::capture::{FrameId, Options, open};

    /// All captures of the fixtures, whose times overlap: hundreds of portions.
    fn fixtures() -> Captures {
        let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/captures"));
        open(&[folder], Options::default()).unwrap()
    }

    /// What a source lends: each frame by its name, length and last byte.
    type Lent = Vec<(FrameId, u32, Option<u8>)>;

    fn lent(lent: &mut Lent, frames: &[Frame<'_>]) {
        lent.extend(frames.iter().map(|frame| (frame.id, frame.wire_len, frame.bytes.last().copied())));
    }

    fn all_of(mut share: Share) -> (Lent, usize, Left) {
        let (mut frames, mut steps) = (Vec::new(), 0);
        while share.read(&mut |batch, _| lent(&mut frames, batch)) != Ok(Progress::End) {
            steps += 1;
        }
        (frames, steps, share.leave())
    }

    #[test]
    fn every_share_is_lent_all_frames_in_their_order() {
        let mut alone = fixtures();
        let mut frames = Vec::new();
        while alone.read(&mut |batch| lent(&mut frames, batch)) != Ok(Progress::End) {}
        assert!(frames.len() > 1_000, "{}", frames.len());
        for shares in [1, 2, 5] {
            let threads: Vec<_> = share(fixtures(), shares, |_, _| None).into_iter().map(|share| thread::spawn(|| all_of(share))).collect();
            assert_eq!(threads.len(), shares);
            for thread in threads {
                let (its, _, left) = thread.join().unwrap();
                assert!(its == frames, "one of {shares}: {} of {} frames", its.len(), frames.len());
                assert_eq!((&left.files[..], &left.interfaces[..]), (alone.files(), alone.interfaces()));
            }
        }
    }

    #[test]
    fn a_frame_is_its_owners_or_everybodys() {
        // By length: the first one's, the second one's, everybody's.
        let owner: Owner = |frame, shares| Some(frame.bytes.len() % 3).filter(|owner| *owner < shares);
        let own = |mut share: Share| {
            let mut lengths = [0; 3];
            let mut count = |frames: &[Frame<'_>], own: &[bool]| {
                assert_eq!(frames.len(), own.len());
                frames.iter().zip(own).filter(|(_, own)| **own).for_each(|(frame, _)| lengths[frame.bytes.len() % 3] += 1);
            };
            while share.read(&mut count) != Ok(Progress::End) {}
            lengths
        };
        let shared = |shares| share(fixtures(), shares, owner).into_iter().map(|share| thread::spawn(move || own(share))).collect::<Vec<_>>();
        let [alone] = shared(1).try_into().map(|[thread]: [thread::JoinHandle<_>; 1]| [thread.join().unwrap()]).unwrap();
        assert!(alone.iter().all(|frames| *frames > 100), "{alone:?}");
        let both: Vec<_> = shared(2).into_iter().map(|thread| thread.join().unwrap()).collect();
        assert_eq!(both, [[alone[0], 0, alone[2]], [0, alone[1], alone[2]]]);
    }

    #[test]
    fn who_is_too_far_ahead_waits_for_the_last_one() {
        let mut shares = share(fixtures(), 3, |_, _| None);
        let (mut slow, common) = (shares.pop().unwrap(), Arc::clone(&shares[0].common));
        let fast: Vec<_> = shares.into_iter().map(|share| thread::spawn(|| all_of(share).1)).collect();
        let (mut steps, mut most) = (0, 0);
        while slow.read(&mut |_, _| {}) != Ok(Progress::End) {
            steps += 1;
            most = most.max(held(&common.kept).steps.len());
            thread::yield_now();
        }
        assert!(steps > 3 * PORTIONS_AHEAD as u64, "{steps}");
        assert!((1..=PORTIONS_AHEAD).contains(&most), "{most} are kept");
        assert!(fast.into_iter().all(|fast| fast.join().unwrap() as u64 == steps));
        assert!(held(&common.kept).steps.is_empty(), "all have passed");
    }

    #[test]
    fn nobody_waits_for_who_left_or_panicked() {
        let mut shares = share(fixtures(), 3, |_, _| None);
        let (leaves, panics, goes_on) = (shares.pop().unwrap(), shares.pop().unwrap(), shares.pop().unwrap());
        let nothing = leaves.leave();
        assert!(nothing.files.len() > 100 && nothing.files.iter().all(|file| file.frames == 0));
        let panicked = thread::spawn(move || {
            let mut share = panics;
            share.read(&mut |_, _| std::panic::resume_unwind(Box::new("a panic of a test"))).is_ok()
        });
        assert!(panicked.join().is_err());
        assert!(all_of(goes_on).1 > PORTIONS_AHEAD);
    }

    #[test]
    fn every_share_is_told_faults_names_and_pauses() {
        let folder = tempfile::tempdir().unwrap();
        let capture = |seconds: u32, cut: usize| {
            let header = [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 1, seconds, 0, 4, 4, 0];
            let bytes: Vec<u8> = header.into_iter().flat_map(u32::to_le_bytes).collect();
            bytes[..bytes.len() - cut].to_owned()
        };
        std::fs::write(folder.path().join("a"), capture(10, 0)).unwrap();
        std::fs::write(folder.path().join("b"), [capture(70, 0), capture(71, 2).split_off(24)].concat()).unwrap();
        let shares = share(open(&[folder.path().to_owned()], Options::default()).unwrap(), 2, |_, _| None);
        let told = |mut share: Share| {
            let (mut faults, mut pauses) = (Vec::new(), Vec::new());
            loop {
                match share.read(&mut |_, _| {}) {
                    Ok(Progress::End) => return (faults, pauses),
                    Ok(Progress::More) => {}
                    Err(fault) => faults.push(fault.what),
                }
                pauses.extend(share.take_pauses().into_iter().map(|pause| pause.to.nanos_since(pause.from) / 1_000_000_000));
            }
        };
        for thread in shares.into_iter().map(|share| thread::spawn(move || told(share))).collect::<Vec<_>>() {
            let (faults, pauses) = thread.join().unwrap();
            assert_eq!(pauses, [60]);
            assert!(faults.len() == 1 && faults[0].starts_with("ends in the middle of a record"), "{faults:?}");
        }
    }
}
