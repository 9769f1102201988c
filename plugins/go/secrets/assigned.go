package main

import (
	"math"
	"strings"
)

// What is said to be a secret, without the signs between its words.
var names = []string{"password", "passwd", "secret", "apikey", "accesskey", "secretkey", "privatekey", "authtoken", "accesstoken", "clientsecret"}

const (
	leastLength = 12
	mostLength  = 256
	// Bits a letter: words have some 2.5 to 3, what is random and as short as this 3.2 and more.
	leastEntropy = 3.1
)

// NAME = VALUE or NAME: VALUE, quoted or not, where the value looks random: letters and digits, and few of them twice.
func assigned(text string) []place {
	var found []place
	for at := 0; at < len(text); at++ {
		if text[at] != '=' && text[at] != ':' || !namesSecret(text[:at]) {
			continue
		}
		start := run(text, at+1, func(letter byte) bool {
			return letter == ' ' || letter == '=' || letter == '"' || letter == '\'' || letter == '`'
		})
		end := run(text, start, func(letter byte) bool { return letter > ' ' && !strings.ContainsRune("\"'`,;<>(){}", rune(letter)) })
		if value := text[start:end]; len(value) >= leastLength && len(value) <= mostLength && random(value) {
			found = append(found, place{start, end})
			at = end - 1
		}
	}
	return found
}

// Whether the last word before a sign of assignment is a secret's name, e.g. `"api_key" `.
func namesSecret(before string) bool {
	before = strings.TrimRight(before, " \"'`")
	start := len(before)
	for start > 0 && dashed(before[start-1]) && len(before)-start < 64 {
		start--
	}
	name := strings.Map(func(letter rune) rune {
		if letter == '_' || letter == '-' {
			return -1
		}
		return letter
	}, strings.ToLower(before[start:]))
	for _, known := range names {
		if strings.HasSuffix(name, known) {
			return true
		}
	}
	return false
}

func random(value string) bool {
	var counts [256]int
	letters, digits := false, false
	for n := 0; n < len(value); n++ {
		counts[value[n]]++
		digit := value[n] >= '0' && value[n] <= '9'
		digits = digits || digit
		letters = letters || word(value[n]) && !digit
	}
	if !letters || !digits || placeholder(value) {
		return false
	}
	entropy := 0.0
	for _, count := range counts {
		if count > 0 {
			share := float64(count) / float64(len(value))
			entropy -= share * math.Log2(share)
		}
	}
	return entropy >= leastEntropy
}

// What stands for a secret in examples and templates.
func placeholder(value string) bool {
	lower := strings.ToLower(value)
	for _, sign := range []string{"example", "changeme", "placeholder", "password", "your", "xxxx", "****", "${", "{{", "<", "..."} {
		if strings.Contains(lower, sign) {
			return true
		}
	}
	return false
}
