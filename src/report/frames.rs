//! Frame numbers with the file that they are of: for records, and for people.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use crate::capture::{CaptureFile, FrameId};
use crate::judge::Judged;

/// Frame numbers are those of their file: `file` (its place among the summary's captures, 0 where nothing is said) unless one of the other two says otherwise.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FramesRecord<'a> {
    #[serde(skip_serializing_if = "is_first_file")]
    file: u32,
    first: u64,
    last: u64,
    #[cfg_attr(feature = "schema", schemars(with = "Vec<u64>"))]
    cited: Numbers<'a>,
    /// The file of `last`, where that is another.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_file: Option<u32>,
    /// The file of each of `cited`, where one is in another.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cited_files: Vec<u32>,
}

impl<'a> FramesRecord<'a> {
    /// The frames of a judged flow.
    pub fn new(judged: &'a Judged) -> Self {
        let flow = &judged.identified.flow;
        let (first, last) = (flow.first_frame, flow.last_frame);
        let file = first.file();
        let strays = judged.cited.iter().any(|frame| frame.file() != file);
        Self {
            file,
            first: first.number(),
            last: last.number(),
            cited: Numbers(&judged.cited),
            last_file: (last.file() != file).then_some(last.file()),
            cited_files: judged.cited.iter().map(|frame| frame.file()).filter(|_| strays).collect(),
        }
    }
}

/// Numbers of frames, within their files.
#[derive(Debug)]
struct Numbers<'a>(&'a [FrameId]);

impl Serialize for Numbers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|frame| frame.number()))
    }
}

/// A frame by file and number.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CitedFrame<'a> {
    file: &'a str,
    number: u64,
}

impl<'a> CitedFrame<'a> {
    /// The frame of one of these captures.
    pub fn new(captures: &'a [CaptureFile], frame: FrameId) -> Self {
        Self { file: file_name(captures, frame), number: frame.number() }
    }
}

/// `12, 15, 19 of edge.pcap; 3 of core.pcap`.
pub fn numbers(captures: &[CaptureFile], cited: &[FrameId]) -> String {
    let mut files: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for frame in cited {
        files.entry(frame.file()).or_default().push(frame.number().to_string());
    }
    let one = captures.len() == 1;
    let part = |(file, numbers): (u32, Vec<String>)| {
        let numbers = numbers.join(", ");
        if one { numbers } else { format!("{numbers} of {}", file_name(captures, FrameId::new(file, 0))) }
    };
    files.into_iter().map(part).collect::<Vec<_>>().join("; ")
}

/// Path of the file a frame is in.
pub fn file_name(files: &[CaptureFile], frame: FrameId) -> &str {
    files.get(frame.file() as usize).map_or("?", |file| &file.path)
}

/// The first file's number is left out: mostly there is one.
pub(super) fn is_first_file(file: &u32) -> bool {
    *file == 0
}
