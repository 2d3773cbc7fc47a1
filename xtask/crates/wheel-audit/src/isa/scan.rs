//! Reading a file's code piece by piece.

use memchr::memmem;

use super::{
    IsaError, IsaFacts, Machine, Question, a64, judge,
    layout::Layout,
    run::{Run, Totals},
    x86,
};

/// What programs read that do not rely on `getauxval`, such as libdeflate (`arm/cpu_features.c`).
const AUXV: &[u8] = b"self/auxv\0";

/// Decodes code as it comes by. Beside what the [`Layout`] holds it keeps some hundred bytes.
#[derive(Debug, Clone)]
pub(crate) struct Scanner {
    layout: Layout,
    /// No function is known, so that code cannot be told from data by its place.
    all_unknown: bool,
    /// The piece of code that is being decoded.
    span: usize,
    /// How far into the file all has been fed.
    fed: u64,
    /// The end of what was fed that may be the beginning of a longer instruction.
    carry: Vec<u8>,
    run: Run,
    totals: Totals,
    is_incomplete: bool,
}

impl Scanner {
    /// Begins with a file whose layout is known.
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

    /// Takes the bytes of the file from an offset on. Pieces come in file order; what holds no
    /// code may be left out, what was fed before is skipped.
    pub(crate) fn feed(&mut self, offset: u64, piece: &[u8]) {
        if self.layout.machine == Machine::Aarch64 && memmem::find(piece, AUXV).is_some() {
            self.layout.asks.insert(Question::Auxv);
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

    /// What the code came to.
    ///
    /// # Errors
    /// [`IsaError::Incomplete`] if code was never fed.
    pub(crate) fn finish(self) -> Result<IsaFacts, IsaError> {
        if self.is_incomplete || self.span < self.layout.spans.len() {
            return Err(IsaError::Incomplete);
        }
        Ok(judge::judge(&self.layout, &self.totals))
    }

    /// Some of the file is not fed. It should not have been code.
    fn skip_to(&mut self, offset: u64) {
        while self.layout.spans.get(self.span).is_some_and(|span| span.file.start < offset) {
            self.is_incomplete = true;
            self.span += 1;
            self.carry.clear();
            self.run = Run::default();
        }
        self.fed = offset;
    }

    /// Decodes bytes of the current span that lie at a file offset.
    fn decode(&mut self, offset: u64, mut bytes: &[u8], is_end: bool) {
        let mut at = offset;
        if !self.carry.is_empty() {
            // As much as is needed to decode all that begins in what was left over.
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

    /// The current span is over.
    fn close(&mut self) {
        self.totals.add(&self.run, self.span, &self.layout, self.all_unknown);
        self.run.clear();
        self.carry.clear();
        self.span += 1;
    }
}
