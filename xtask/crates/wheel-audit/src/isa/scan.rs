//! Decodes a file's code piece by piece.

use memchr::memmem;

use super::{
    IsaError, IsaFacts, Machine, ProcessorCheck, a64, evaluate,
    layout::Layout,
    run::{Run, Totals},
    x86,
};

/// The file that programs without `getauxval` read, such as libdeflate (`arm/cpu_features.c`).
const AUXV: &[u8] = b"self/auxv\0";

/// Decodes code from a stream. Uses a few hundred bytes in addition to the [`Layout`].
#[derive(Debug, Clone)]
pub(crate) struct Scanner {
    layout: Layout,
    /// True if no function is known, so that code and data cannot be separated.
    all_unknown: bool,
    /// The current piece of code.
    span: usize,
    /// The file offset up to which bytes were fed.
    fed: u64,
    /// The last fed bytes, which may be the start of an instruction.
    carry: Vec<u8>,
    run: Run,
    totals: Totals,
    is_incomplete: bool,
}

impl Scanner {
    /// Creates a scanner for a layout.
    pub(crate) fn new(layout: Layout) -> Self {
        let all_unknown = !layout.spans.iter().any(|span| span.is_function);
        Self {
            layout,
            all_unknown,
            span: 0,
            fed: 0,
            carry: Vec::new(),
            run: Run::default(),
            totals: Totals::default(),
            is_incomplete: false,
        }
    }

    /// Decodes bytes of the file at an offset. Pieces must be in file order. Pieces without code may be omitted, and
    /// repeated bytes are skipped.
    pub(crate) fn feed(&mut self, offset: u64, piece: &[u8]) {
        if self.layout.machine == Machine::Aarch64 && memmem::find(piece, AUXV).is_some() {
            self.layout.checks.insert(ProcessorCheck::Auxv);
        }
        let end = offset.saturating_add(piece.len() as u64);
        if offset > self.fed {
            self.skip_to(offset);
        }
        while let Some(span) = self.layout.spans.get(self.span) {
            let (from, to) = (span.file.start.max(self.fed), span.file.end.min(end));
            if from >= to {
                break;
            }
            let [first, last] = [from, to].map(|at| usize::try_from(at - offset).unwrap_or(0));
            let is_end = to == span.file.end;
            self.decode(from, piece.get(first..last).unwrap_or_default(), is_end);
            self.fed = to;
            if is_end {
                self.close();
            }
        }
        self.fed = self.fed.max(end);
    }

    /// The facts about the code.
    ///
    /// # Errors
    /// [`IsaError::Incomplete`] if a part of the code was not fed.
    pub(crate) fn finish(self) -> Result<IsaFacts, IsaError> {
        if self.is_incomplete || self.span < self.layout.spans.len() {
            return Err(IsaError::Incomplete);
        }
        Ok(evaluate::evaluate(&self.layout, &self.totals))
    }

    /// Skips a part of the file, which should not contain code.
    fn skip_to(&mut self, offset: u64) {
        while self.layout.spans.get(self.span).is_some_and(|span| span.file.start < offset) {
            self.is_incomplete = true;
            self.span += 1;
            self.carry.clear();
            self.run = Run::default();
        }
        self.fed = offset;
    }

    /// Decodes bytes of the current span at a file offset.
    fn decode(&mut self, offset: u64, mut bytes: &[u8], is_end: bool) {
        let mut at = offset;
        if !self.carry.is_empty() {
            // Enough bytes to complete the instructions that start in the remaining bytes.
            let old = self.carry.len();
            let taken = bytes.len().min(x86::LONGEST);
            self.carry.extend_from_slice(&bytes[..taken]);
            let carry = std::mem::take(&mut self.carry);
            let last = is_end && taken == bytes.len();
            let done = self.run_over(offset - old as u64, &carry, !last);
            if done < old || taken == bytes.len() {
                self.carry = carry.get(done..).unwrap_or_default().to_vec();
                return;
            }
            let used = done - old;
            (at, bytes) = (offset + used as u64, &bytes[used..]);
        }
        let done = self.run_over(at, bytes, !is_end);
        self.carry.extend_from_slice(bytes.get(done..).unwrap_or_default());
    }

    fn run_over(&mut self, offset: u64, bytes: &[u8], more: bool) -> usize {
        let Some(span) = self.layout.spans.get(self.span) else {
            return bytes.len();
        };
        let address = span.address.wrapping_add(offset - span.file.start);
        match self.layout.machine {
            Machine::Aarch64 => {
                let function = a64::Function { span, queries: &self.layout.queries };
                a64::decode(bytes, address, &function, &mut self.run)
            }
            machine => x86::decode(machine, bytes, address, more, &mut self.run),
        }
    }

    /// Finishes the current span.
    fn close(&mut self) {
        self.totals.add(&self.run, self.span, &self.layout, self.all_unknown);
        self.run.clear();
        self.carry.clear();
        self.span += 1;
    }
}
