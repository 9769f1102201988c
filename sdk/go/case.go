package assize

import (
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
)

// Case is what is judged. A fact that isn't known is an empty string.
type Case struct {
	// ID is the decision's (UUIDv7).
	ID string
	// Kind says what sort of thing is judged: `prompt`, `content`, `agent-action`, `event`, `finding`, …
	Kind   string
	Tenant string
	// System is the registered AI system that the case comes from.
	System string
	// Environment is `development`, `staging` or `production`.
	Environment string
	// Jurisdictions are ISO 3166 codes whose rules apply, and `EU`.
	Jurisdictions []string
	Sector        string
	// Actor, Action and Resource: who does what to what, where the case is an action.
	Actor, Action, Resource string
	// OccurredAt and RulesAsOf are milliseconds since 1970, UTC.
	OccurredAt, RulesAsOf uint64
	// PayloadJSON is the thing itself, as the caller sent it; ContextJSON what the host added before judging.
	PayloadJSON, ContextJSON string
}

// Payload parses the payload into a value, as [json.Unmarshal] does.
func (c *Case) Payload(into any) error { return parse(c.PayloadJSON, "payload", into) }

// Context parses what the host added before judging into a value, as [json.Unmarshal] does.
func (c *Case) Context(into any) error { return parse(c.ContextJSON, "context", into) }

// IsIn says whether the case lists the jurisdiction, e.g. `EU`.
func (c *Case) IsIn(code string) bool {
	for _, listed := range c.Jurisdictions {
		if listed == code {
			return true
		}
	}
	return false
}

func parse(document, part string, into any) error {
	if err := json.Unmarshal([]byte(document), into); err != nil {
		return InvalidCase("the case's %s can't be read: %v", part, err)
	}
	return nil
}

// Text is a string of the payload and where it stands.
type Text struct {
	// Pointer is a JSON Pointer (RFC 6901) into the payload.
	Pointer string
	// Value has its JSON escapes resolved: spans of evidence are offsets of bytes into it, as Go's are.
	Value string
}

// At is evidence for the bytes from start to end.
func (t Text) At(start, end int) Evidence {
	return Evidence{Pointer: t.Pointer, Span: &Span{Start: uint32(start), End: uint32(end)}}
}

// Whole is evidence for all of it.
func (t Text) Whole() Evidence { return Evidence{Pointer: t.Pointer} }

// Texts lists all strings of the payload (values, not keys), in the order in which they stand.
func (c *Case) Texts() ([]Text, error) {
	if pointer := loneSurrogate(c.PayloadJSON); pointer >= 0 {
		return nil, InvalidCase("the case's payload has a lone surrogate at byte %d, which is no text", pointer)
	}
	decoder := json.NewDecoder(strings.NewReader(c.PayloadJSON))
	// Numbers are passed over.
	decoder.UseNumber()
	var texts []Text
	if err := walk(decoder, "", &texts); err != nil {
		return nil, InvalidCase("the case's payload can't be read: %v", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, InvalidCase("the case's payload can't be read: something follows it")
	}
	return texts, nil
}

// walk reads one value. A tree of maps wouldn't keep the order of an object's members.
func walk(decoder *json.Decoder, pointer string, texts *[]Text) error {
	token, err := decoder.Token()
	if err != nil {
		return err
	}
	switch token := token.(type) {
	case string:
		*texts = append(*texts, Text{Pointer: pointer, Value: token})
	case json.Delim:
		for index := 0; decoder.More(); index++ {
			below := strconv.Itoa(index)
			if token == '{' {
				name, err := decoder.Token()
				if err != nil {
					return err
				}
				below = escape.Replace(name.(string))
			}
			if err := walk(decoder, pointer+"/"+below, texts); err != nil {
				return err
			}
		}
		_, err = decoder.Token()
	}
	return err
}

var escape = strings.NewReplacer("~", "~0", "/", "~1")

// loneSurrogate gives where a JSON document has half of a surrogate pair, which Go's reader would replace without a word; or -1.
func loneSurrogate(document string) int {
	for at := strings.IndexByte(document, '\\'); at >= 0 && at+1 < len(document); {
		next := at + 2
		if unit, ok := surrogate(document, at); ok {
			low, paired := surrogate(document, at+6)
			if unit >= 0xdc00 || !paired || low < 0xdc00 {
				return at
			}
			next = at + 12
		}
		following := strings.IndexByte(document[next:], '\\')
		if following < 0 {
			return -1
		}
		at = next + following
	}
	return -1
}

func surrogate(document string, at int) (uint64, bool) {
	if at+6 > len(document) || document[at:at+2] != `\u` {
		return 0, false
	}
	unit, err := strconv.ParseUint(document[at+2:at+6], 16, 16)
	return unit, err == nil && unit >= 0xd800 && unit <= 0xdfff
}
