package assize

// Outcome is what came of a case, as an action sees it.
type Outcome struct {
	Verdict Verdict `json:"verdict"`
	// Reason is the decision's reason code.
	Reason    string     `json:"reason"`
	Risk      Risk       `json:"risk"`
	Judgments []Judgment `json:"judgments"`
}

// Effect is what an action plans. The host carries it out, or not.
type Effect interface {
	// Kind is its name, as manifests write it.
	Kind() string
}

// Alert tells people.
type Alert struct {
	Severity    Severity
	Title, Body string
}

// Webhook tells another system. The body is JSON.
type Webhook struct{ URL, BodyJSON string }

// Adjustment changes a setting of the governed application. The value is JSON.
type Adjustment struct{ Target, Key, ValueJSON string }

// TemporaryRule binds a rule for a while. The settings are JSON.
type TemporaryRule struct {
	Plugin, SettingsJSON string
	LastsSeconds         uint64
}

// DisableRule switches the binding of this name off.
type DisableRule string

// Escalate asks people to look.
type Escalate Severity

// Money is a decimal such as `1250.00` with an ISO 4217 code. Never a float.
type Money struct{ Amount, Currency string }

// Request is any other action of the governed application, e.g. `user.suspend`. The parameters are JSON; no amount: nil.
type Request struct {
	Action         string
	Amount         *Money
	ParametersJSON string
}

func (Alert) Kind() string         { return "alert" }
func (Webhook) Kind() string       { return "webhook" }
func (Adjustment) Kind() string    { return "adjust" }
func (TemporaryRule) Kind() string { return "create-rule" }
func (DisableRule) Kind() string   { return "disable-rule" }
func (Escalate) Kind() string      { return "escalate" }
func (Request) Kind() string       { return "perform" }
