package main

import (
	"encoding/base64"
	"encoding/json"
	"strings"

	"assize"
)

// A range of bytes.
type place struct{ start, end int }

// A kind of credential.
type kind struct {
	code     string
	severity assize.Severity
	points   float64
	message  string
	find     func(text string) []place
}

// The tables are small and made without regular expressions: an instance lives for one call, and would compile them at each.
var kinds = []kind{
	{"PRIVATE_KEY", assize.Critical, 8, "holds a private key", privateKeys},
	{"AWS_ACCESS_KEY", assize.High, 5, "holds an access key of AWS", prefixed(upper, 16, 16, "AKIA", "ASIA")},
	{"GITHUB_TOKEN", assize.High, 5, "holds a token of GitHub", prefixed(word, 36, 255, "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_")},
	{"SLACK_TOKEN", assize.High, 5, "holds a token of Slack", prefixed(dashed, 20, 255, "xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-")},
	{"STRIPE_KEY", assize.High, 5, "holds a live key of Stripe", prefixed(word, 16, 255, "sk_live_", "rk_live_")},
	{"GOOGLE_API_KEY", assize.High, 5, "holds an API key of Google", prefixed(dashed, 35, 35, "AIza")},
	{"JSON_WEB_TOKEN", assize.Medium, 3, "holds a JSON Web Token, with its signature", webTokens},
	{"URL_CREDENTIALS", assize.High, 4, "holds a URL with a password in it", urlCredentials},
	{"ASSIGNED_SECRET", assize.Medium, 3, "calls something random a secret", assigned},
}

func known(code string) bool {
	for _, kind := range kinds {
		if kind.code == code {
			return true
		}
	}
	return false
}

func upper(letter byte) bool  { return letter >= 'A' && letter <= 'Z' || letter >= '0' && letter <= '9' }
func word(letter byte) bool   { return upper(letter) || letter >= 'a' && letter <= 'z' || letter == '_' }
func dashed(letter byte) bool { return word(letter) || letter == '-' }

// Where a run of letters of this kind ends.
func run(text string, start int, of func(byte) bool) int {
	for start < len(text) && of(text[start]) {
		start++
	}
	return start
}

// Tokens that begin with one of these, and go on with so many letters and no more.
func prefixed(of func(byte) bool, least, most int, prefixes ...string) func(string) []place {
	return func(text string) []place {
		var found []place
		for _, prefix := range prefixes {
			for at := next(text, prefix, 0); at >= 0; at = next(text, prefix, at+len(prefix)) {
				end := run(text, at+len(prefix), of)
				length := end - at - len(prefix)
				// Documentation's own examples say that they are.
				example := strings.HasSuffix(text[at:end], "EXAMPLE")
				if (at == 0 || !word(text[at-1])) && length >= least && length <= most && !example {
					found = append(found, place{at, end})
				}
			}
		}
		return found
	}
}

func next(text, part string, from int) int {
	at := strings.Index(text[from:], part)
	if at < 0 {
		return -1
	}
	return from + at
}

// From the line that begins it to the one that ends it; to the end of the text, where that was cut off.
func privateKeys(text string) []place {
	const begin, label, rest = "-----BEGIN ", "PRIVATE KEY", "-----"
	var found []place
	for at := next(text, begin, 0); at >= 0; at = next(text, begin, at+len(begin)) {
		line := at + len(begin)
		closing := next(text, rest, line)
		if closing < 0 || !strings.HasSuffix(text[line:closing], label) && !strings.HasSuffix(text[line:closing], label+" BLOCK") {
			continue
		}
		end := len(text)
		if last := next(text, "-----END "+text[line:closing]+rest, closing); last >= 0 {
			end = last + len("-----END ") + closing - line + len(rest)
		}
		found = append(found, place{at, end})
	}
	return found
}

// Header, claims and a signature, the header being JSON that names an algorithm.
func webTokens(text string) []place {
	var found []place
	for at := next(text, "eyJ", 0); at >= 0; {
		header := run(text, at, dashed)
		end := header
		parts := 1
		for parts < 3 && end < len(text) && text[end] == '.' && run(text, end+1, dashed) > end+1 {
			end = run(text, end+1, dashed)
			parts++
		}
		if parts == 3 && (at == 0 || !dashed(text[at-1])) && namesAlgorithm(text[at:header]) {
			found = append(found, place{at, end})
		}
		at = next(text, "eyJ", max(end, at+3))
	}
	return found
}

func namesAlgorithm(encoded string) bool {
	decoded, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		return false
	}
	var header struct {
		Algorithm string `json:"alg"`
	}
	return json.Unmarshal(decoded, &header) == nil && header.Algorithm != "" && header.Algorithm != "none"
}

// scheme://somebody:something@somewhere
func urlCredentials(text string) []place {
	var found []place
	for at := next(text, "://", 0); at >= 0; at = next(text, "://", at+3) {
		start := at
		for start > 0 && (word(text[start-1]) || text[start-1] == '+') {
			start--
		}
		authority := run(text, at+3, func(letter byte) bool { return letter > ' ' && !strings.ContainsRune("/?#\"'<>`", rune(letter)) })
		user, host, whole := strings.Cut(text[at+3:authority], "@")
		_, password, both := strings.Cut(user, ":")
		if whole && both && start < at && host != "" && password != "" && !placeholder(password) {
			found = append(found, place{start, authority})
		}
	}
	return found
}
