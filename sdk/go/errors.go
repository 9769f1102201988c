package assize

import (
	"errors"
	"fmt"
)

// FailureKind says whose fault it is that there is no answer.
type FailureKind uint8

const (
	// SettingsFailure: the plugin can't work with these settings.
	SettingsFailure FailureKind = iota
	// CaseFailure: it can't judge this case.
	CaseFailure
	// InternalFailure: it failed itself.
	InternalFailure
	// Abstention: the case is none of its business. Nothing has failed.
	Abstention
)

// Failure is why a plugin gives no answer. The binding's failure policy then decides, and never allows.
type Failure struct {
	Kind FailureKind
	Why  string
}

func (f *Failure) Error() string { return f.Why }

// InvalidSettings refuses settings.
func InvalidSettings(format string, args ...any) error {
	return &Failure{SettingsFailure, fmt.Sprintf(format, args...)}
}

// InvalidCase refuses a case.
func InvalidCase(format string, args ...any) error {
	return &Failure{CaseFailure, fmt.Sprintf(format, args...)}
}

// Abstain says that the case is none of this plugin's business, and why: the others judge as they would without it.
func Abstain(format string, args ...any) error {
	return &Failure{Abstention, fmt.Sprintf(format, args...)}
}

// failureOf takes any other error for the plugin's own.
func failureOf(err error) *Failure {
	var failure *Failure
	if err == nil || errors.As(err, &failure) {
		return failure
	}
	return &Failure{InternalFailure, err.Error()}
}
