//! Short ways to build answers.

use crate::{Assessment, Evidence, Finding, Ruling, Severity, Span, Verdict};
use core::ops::Range;

impl Finding {
    /// A finding without evidence, contribution or citation as yet.
    pub fn new(code: impl Into<String>, severity: Severity, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            severity,
            message: message.into(),
            contribution: 0.0,
            evidence: Vec::new(),
            citation: None,
        }
    }

    /// Its share of the score, in points of the scale 0 to 10.
    #[must_use]
    pub fn points(mut self, contribution: f64) -> Self {
        self.contribution = contribution;
        self
    }

    /// Adds evidence: the bytes `span` of the string at `pointer` (RFC 6901, into the payload).
    #[must_use]
    pub fn at(mut self, pointer: impl Into<String>, span: Range<usize>) -> Self {
        self.evidence.push(Evidence { pointer: pointer.into(), span: Some(span.into()) });
        self
    }

    /// Adds evidence: the whole value at `pointer` (RFC 6901, into the payload).
    #[must_use]
    pub fn whole(mut self, pointer: impl Into<String>) -> Self {
        self.evidence.push(Evidence { pointer: pointer.into(), span: None });
        self
    }

    /// Names the norm behind it, e.g. `Regulation (EU) 2024/1689, Art. 5(1)(a)`.
    #[must_use]
    pub fn citing(mut self, norm: impl Into<String>) -> Self {
        self.citation = Some(norm.into());
        self
    }
}

impl From<Range<usize>> for Span {
    /// Offsets beyond 4 GiB can't occur in a component; they would be capped.
    fn from(range: Range<usize>) -> Self {
        let cap = |offset| u32::try_from(offset).unwrap_or(u32::MAX);
        Self { start: cap(range.start), end: cap(range.end) }
    }
}

impl Assessment {
    /// An assessment whose score is the sum of what its findings contribute, held within 0 to 10.
    pub fn from_findings(findings: Vec<Finding>, confidence: f64) -> Self {
        // Not `sum`: of nothing, it is −0.
        let score = findings.iter().fold(0.0, |score, finding| score + finding.contribution).clamp(0.0, 10.0);
        Self { score, confidence, findings, attributes: "{}".to_owned() }
    }

    /// Adds attributes for rules and records to read.
    #[must_use]
    pub fn with_attributes(mut self, attributes: &serde_json::Value) -> Self {
        self.attributes = attributes.to_string();
        self
    }
}

impl Ruling {
    /// A ruling with one reason.
    pub fn new(verdict: Verdict, code: impl Into<String>, findings: Vec<Finding>) -> Self {
        Self { verdict, code: code.into(), findings }
    }

    /// Nothing in the case that this rule objects to.
    pub fn allow(code: impl Into<String>) -> Self {
        Self::new(Verdict::Allow, code, Vec::new())
    }
}
