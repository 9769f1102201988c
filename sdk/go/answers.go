package assize

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// Severity of a finding, from least to most.
type Severity uint8

const (
	Info Severity = iota
	Low
	Medium
	High
	Critical
)

var severities = []string{"info", "low", "medium", "high", "critical"}

func (s Severity) String() string { return severities[s] }

// UnmarshalText reads a severity's name.
func (s *Severity) UnmarshalText(text []byte) error { return named(s, severities, "severity", text) }

// Verdict of a rule. From least to most restrictive; where several apply, the most restrictive wins.
type Verdict uint8

const (
	Allow Verdict = iota
	Warn
	Review
	Block
)

var verdicts = []string{"allow", "warn", "review", "block"}

func (v Verdict) String() string { return verdicts[v] }

// UnmarshalText reads a verdict's name.
func (v *Verdict) UnmarshalText(text []byte) error { return named(v, verdicts, "verdict", text) }

func named[T ~uint8](into *T, names []string, what string, text []byte) error {
	for number, name := range names {
		if name == string(text) {
			*into = T(number)
			return nil
		}
	}
	return fmt.Errorf("%q is no %s: one of %s", text, what, strings.Join(names, ", "))
}

// Span is a half-open range of bytes inside a string.
type Span struct {
	Start uint32 `json:"start"`
	End   uint32 `json:"end"`
}

// Evidence says where a finding was made.
type Evidence struct {
	// Pointer is a JSON Pointer (RFC 6901) into the payload.
	Pointer string `json:"pointer"`
	// Span lies inside the string at Pointer. nil: the whole value.
	Span *Span `json:"span"`
}

// Finding is one reason for a score or a ruling, in words that a court can read.
type Finding struct {
	// Code is stable: people filter by it, and records keep it for ever.
	Code     string   `json:"code"`
	Severity Severity `json:"severity"`
	Message  string   `json:"message"`
	// Points are its share of the score, on the scale from 0 to 10.
	Points   float64    `json:"contribution"`
	Evidence []Evidence `json:"evidence"`
	// Citation is the norm behind it, e.g. `Regulation (EU) 2024/1689, Art. 5(1)(a)`. Empty: none.
	Citation string `json:"citation"`
}

// Assessment is what a risk agent thinks of a case.
type Assessment struct {
	// Score is 0 (none) to 10 (certain harm).
	Score float64 `json:"score"`
	// Confidence is 0 to 1.
	Confidence float64   `json:"confidence"`
	Findings   []Finding `json:"findings"`
	// Attributes are a JSON document: anything more for rules and records to read. Empty: none.
	Attributes string `json:"attributes"`
}

// Assess gives an assessment whose score is the sum of what its findings contribute, held within 0 to 10.
func Assess(findings []Finding, confidence float64) *Assessment {
	score := 0.0
	for _, finding := range findings {
		score += finding.Points
	}
	return &Assessment{Score: min(max(score, 0), 10), Confidence: confidence, Findings: findings, Attributes: "{}"}
}

// With adds attributes, which must make a JSON document.
func (a *Assessment) With(attributes any) (*Assessment, error) {
	var document bytes.Buffer
	encoder := json.NewEncoder(&document)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(attributes); err != nil {
		return nil, err
	}
	a.Attributes = strings.TrimSuffix(document.String(), "\n")
	return a, nil
}

// Ruling is what a compliance rule decides.
type Ruling struct {
	Verdict  Verdict   `json:"verdict"`
	Code     string    `json:"code"`
	Findings []Finding `json:"findings"`
}

// Opinion is one agent's assessment, named, as rules and actions see it.
type Opinion struct {
	// Binding is the name of the binding that the agent ran for.
	Binding    string     `json:"binding"`
	Plugin     string     `json:"plugin"`
	Version    string     `json:"version"`
	Weight     float64    `json:"weight"`
	Assessment Assessment `json:"assessment"`
}

// Risk is what the risk agents say together.
type Risk struct {
	// Score is 0 to 10.
	Score float64 `json:"score"`
	// Confidence is 0 to 1.
	Confidence float64   `json:"confidence"`
	Opinions   []Opinion `json:"opinions"`
}

// Judgment is one rule's ruling, named, as actions see it.
type Judgment struct {
	// Binding is the name of the binding that the rule ran for.
	Binding string `json:"binding"`
	Plugin  string `json:"plugin"`
	Version string `json:"version"`
	Ruling  Ruling `json:"ruling"`
}
