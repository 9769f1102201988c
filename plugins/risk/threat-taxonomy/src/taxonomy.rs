//! The classes of threats: stable codes, severities and where each is described.

use assize_sdk::Severity;

/// A class of threats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Text that sets aside what the system was told before, or gives it orders in another's name.
    PromptInjection,
    /// Text that makes the system give away its own instructions.
    SystemPromptExtraction,
    /// The system is to become somebody who may do what it may not: DAN and its kin.
    JailbreakPersona,
    /// The system is to answer without its restrictions.
    JailbreakUnrestricted,
    /// A story, a game or a part to play through which restrictions are to be passed by.
    RoleplayBypass,
    /// The system is to leave out refusals, warnings and disclaimers, or to affirm beforehand.
    RefusalSuppression,
    /// Words in disguise.
    Obfuscation,
    /// Secrets or personal data are to be carried away.
    DataExfiltration,
    /// Orders or attacks inside a tool's arguments.
    ToolMisuse,
    /// Help with weapons.
    MisuseWeapons,
    /// Help with malicious software or intrusion.
    MisuseMalware,
    /// Help with illegal drugs.
    MisuseDrugs,
    /// Help with fraud.
    MisuseFraud,
    /// Self-harm.
    MisuseSelfHarm,
    /// Violence against people.
    MisuseViolence,
    /// Sexual content with minors.
    MisuseMinors,
    /// Hatred against groups.
    MisuseHate,
    /// Disinformation.
    MisuseDisinformation,
}

impl Class {
    /// Every class.
    pub const ALL: &[Self] = &[
        Self::PromptInjection,
        Self::SystemPromptExtraction,
        Self::JailbreakPersona,
        Self::JailbreakUnrestricted,
        Self::RoleplayBypass,
        Self::RefusalSuppression,
        Self::Obfuscation,
        Self::DataExfiltration,
        Self::ToolMisuse,
        Self::MisuseWeapons,
        Self::MisuseMalware,
        Self::MisuseDrugs,
        Self::MisuseFraud,
        Self::MisuseSelfHarm,
        Self::MisuseViolence,
        Self::MisuseMinors,
        Self::MisuseHate,
        Self::MisuseDisinformation,
    ];

    /// The stable code of its findings.
    pub const fn code(self) -> &'static str {
        match self {
            Self::PromptInjection => "PROMPT_INJECTION",
            Self::SystemPromptExtraction => "SYSTEM_PROMPT_EXTRACTION",
            Self::JailbreakPersona => "JAILBREAK_PERSONA",
            Self::JailbreakUnrestricted => "JAILBREAK_UNRESTRICTED",
            Self::RoleplayBypass => "ROLEPLAY_BYPASS",
            Self::RefusalSuppression => "REFUSAL_SUPPRESSION",
            Self::Obfuscation => "OBFUSCATION",
            Self::DataExfiltration => "DATA_EXFILTRATION",
            Self::ToolMisuse => "TOOL_MISUSE",
            Self::MisuseWeapons => "MISUSE_WEAPONS",
            Self::MisuseMalware => "MISUSE_MALWARE",
            Self::MisuseDrugs => "MISUSE_DRUGS",
            Self::MisuseFraud => "MISUSE_FRAUD",
            Self::MisuseSelfHarm => "MISUSE_SELF_HARM",
            Self::MisuseViolence => "MISUSE_VIOLENCE",
            Self::MisuseMinors => "MISUSE_MINORS",
            Self::MisuseHate => "MISUSE_HATE",
            Self::MisuseDisinformation => "MISUSE_DISINFORMATION",
        }
    }

    /// Where the class is described: the OWASP Top 10 for LLM Applications 2025 and MITRE ATLAS. None: a class of ours.
    pub const fn citation(self) -> Option<&'static str> {
        match self {
            Self::PromptInjection | Self::Obfuscation => {
                Some("OWASP Top 10 for LLM Applications 2025, LLM01 Prompt Injection; MITRE ATLAS AML.T0051")
            }
            Self::JailbreakPersona | Self::JailbreakUnrestricted | Self::RoleplayBypass | Self::RefusalSuppression => {
                Some(
                    "OWASP Top 10 for LLM Applications 2025, LLM01 Prompt Injection; MITRE ATLAS AML.T0054 LLM Jailbreak",
                )
            }
            Self::SystemPromptExtraction => Some("OWASP Top 10 for LLM Applications 2025, LLM07 System Prompt Leakage"),
            Self::DataExfiltration => {
                Some("OWASP Top 10 for LLM Applications 2025, LLM02 Sensitive Information Disclosure")
            }
            Self::ToolMisuse => Some("OWASP Top 10 for LLM Applications 2025, LLM06 Excessive Agency"),
            _ => None,
        }
    }

    /// How grave a finding of this class is when its signal contributes `points`.
    pub fn severity(self, points: f64) -> Severity {
        match self {
            Self::MisuseMinors => Severity::Critical,
            Self::MisuseSelfHarm => Severity::High,
            _ if points >= 6.0 => Severity::High,
            _ if points >= 3.0 => Severity::Medium,
            _ => Severity::Low,
        }
    }
}
