//! What counts as a sign of a threat, and how much: words with certain meanings, in order and near each other.
//!
//! A signal's points are what it would score alone, of 10. Several signals together score as independent chances would
//! (`1 − Π(1 − pᵢ/10)`), so that weak signs add up and no number of them passes 10. Strong signals stand alone for what has
//! no innocent reading ("ignore all previous instructions"); what has one ("act as a pirate") stays below 4 by itself.

use crate::taxonomy::Class;
use crate::words::Concept;
use crate::words::any;

/// One sign.
#[derive(Debug)]
pub(crate) struct Signal {
    pub class: Class,
    /// Score that it has alone, above 0 and below 10.
    pub points: f64,
    /// What was found, for people.
    pub message: &'static str,
    pub steps: &'static [Step],
}

/// The next word, of one of these concepts, at most `within` places after the last.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    pub concepts: u128,
    pub within: u32,
}

/// The first word.
const fn first(concepts: &[Concept]) -> Step {
    Step { concepts: any(concepts), within: 0 }
}

/// The next word.
const fn near(within: u32, concepts: &[Concept]) -> Step {
    Step { concepts: any(concepts), within }
}

macro_rules! signals {
    ($($class:ident $points:literal $message:literal: [$($first:ident)|+] $($within:literal [$($next:ident)|+])*;)*) => {
        /// All signals.
        pub(crate) static SIGNALS: &[Signal] = &[$(Signal {
            class: Class::$class,
            points: $points,
            message: $message,
            steps: &[first(&[$(Concept::$first),+]) $(, near($within, &[$(Concept::$next),+]))*],
        }),*];
    };
}

signals! {
    // Setting aside what was said before.
    PromptInjection 7.5 "tells the system to set aside its earlier instructions": [Override] 4 [Prior] 4 [Orders];
    PromptInjection 7.5 "tells the system to set aside its earlier instructions": [Override] 4 [Orders] 5 [Prior];
    PromptInjection 6.0 "tells the system to set aside its instructions": [Override] 3 [Every] 3 [Orders];
    PromptInjection 5.0 "tells the system to set aside what came before": [Override] 2 [Every] 3 [Prior];
    PromptInjection 3.0 "tells the system to set aside rules": [Override] 4 [Orders];
    PromptInjection 4.5 "gives new instructions in place of the old": [New] 1 [Orders] 2 [TurnOf | Override | Instead];
    PromptInjection 5.0 "imitates the markers of a chat template": [Template] 2 [TurnOf];
    PromptInjection 4.5 "addresses the assistant from within data": [Urgent] 4 [Addressed] 6 [Override | Instead | Send];
    PromptInjection 6.5 "disguises a call to set aside rules": [RotatedWord] 3 [RotatedWord];
    PromptInjection 6.5 "disguises a call to set aside rules": [MirroredWord] 3 [MirroredWord];

    // Giving away its instructions.
    SystemPromptExtraction 6.0 "asks for the hidden instructions": [Reveal] 5 [Hidden] 2 [Prompt];
    SystemPromptExtraction 5.5 "asks for the hidden instructions": [What] 3 [You] 3 [Hidden] 2 [Prompt];
    SystemPromptExtraction 5.0 "asks for the text above word for word": [Reveal] 5 [Prior] 4 [Verbatim | Prompt];

    // Somebody who may do anything.
    JailbreakPersona 6.5 "wants a system that can do anything now": [Do] 1 [Anything] 1 [Now];
    JailbreakPersona 5.0 "names a known jailbreak persona": [Act] 6 [Dan | KnownPersona];
    JailbreakPersona 5.0 "names a known jailbreak persona": [You] 1 [Be] 4 [Dan | KnownPersona];
    JailbreakPersona 3.5 "names a known jailbreak": [KnownPersona];
    JailbreakPersona 5.0 "switches to a mode without restraint": [ModeName] 1 [Mode];
    JailbreakPersona 3.5 "gives the system a new identity": [You] 2 [Be] 3 [Henceforth | Without] 4 [Role | Itself | Chatbot];
    JailbreakPersona 5.0 "wants two answers, one of them unrestrained": [Answer | Two] 8 [Two] 3 [Ways];
    JailbreakPersona 4.0 "wants answers labelled by persona": [Start | Answer] 8 [Tagged | KnownPersona | Dan] 3 [Dan | KnownPersona | Tagged];

    // Without restraint.
    JailbreakUnrestricted 5.0 "describes a system without restraint": [Without] 5 [Restraint | Confines] 4 [Restraint | Confines];
    JailbreakUnrestricted 4.0 "describes a system free of restraint": [Without] 3 [Restraint];
    JailbreakUnrestricted 4.0 "describes a system not bound by rules": [Without | Never] 3 [Bound] 8 [Restraint | Policies];
    JailbreakUnrestricted 4.0 "describes an unrestrained system": [Unbound] 6 [Role | Chatbot | Answer | Unbound];
    JailbreakUnrestricted 2.5 "describes something unrestrained": [Unbound];
    JailbreakUnrestricted 5.0 "describes a system that broke free": [Broken] 3 [Without | Confines | From] 6 [Role | Confines | Chatbot];
    JailbreakUnrestricted 4.5 "wants an answer whatever its harm": [Regardless] 6 [Forbidden | Restraint | Consent];
    JailbreakUnrestricted 4.0 "wants forbidden content of the system": [Able | Always | Comply] 4 [Forbidden] 3 [Forbidden | Answer];
    JailbreakUnrestricted 4.5 "sets the maker's policies aside": [Without | Never | Override] 6 [Maker] 3 [Policies];
    JailbreakUnrestricted 3.0 "allows forbidden contents": [Forbidden] 3 [Able];
    JailbreakUnrestricted 3.0 "lists forbidden contents": [Forbidden] 3 [Forbidden] 3 [Forbidden];

    // Parts to play.
    RoleplayBypass 2.5 "asks the system to take a part": [Act] 4 [As | Role | InCharacter];
    RoleplayBypass 2.5 "changes what the system is from here on": [From] 1 [Henceforth] 1 [On | Henceforth];
    RoleplayBypass 2.5 "tells the system who it is now": [You] 1 [Be] 1 [Henceforth];
    RoleplayBypass 3.0 "asks the system to take two parts": [Act] 4 [Two] 2 [Role | Ways];
    RoleplayBypass 3.0 "holds the system in its part": [Stay] 3 [InCharacter];
    RoleplayBypass 1.5 "sets the request in a story": [Fiction] 6 [Fiction];
    RoleplayBypass 4.0 "asks for forbidden content by way of a story": [Fiction] 12 [Forbidden | Without] 6 [Forbidden | Restraint];
    RoleplayBypass 2.5 "makes obedience a game of forfeits": [Forfeit] 4 [Stakes];

    // No refusals.
    RefusalSuppression 4.5 "forbids the system to refuse": [Never] 3 [Refuse];
    RefusalSuppression 4.0 "forbids warnings or apologies": [Never] 4 [Say] 5 [Excuse];
    RefusalSuppression 3.0 "forbids warnings or apologies": [Never | Without] 4 [Excuse];
    RefusalSuppression 4.0 "forbids the system to say what it is": [Never] 4 [Say] 8 [Language | Chatbot] 2 [Chatbot];
    RefusalSuppression 3.0 "wants every request fulfilled": [Comply] 3 [Always] 4 [Answer];
    RefusalSuppression 3.5 "dictates how the answer begins": [Start] 4 [Answer] 5 [Affirm];

    // Carrying data away.
    DataExfiltration 5.0 "asks for secrets to be sent": [Send] 6 [Secrets | Private] 3 [Secrets] 12 [Url | Attacker | Send];
    DataExfiltration 3.0 "asks for personal or secret data to be passed on": [Private] 4 [Secrets] 14 [Send];
    DataExfiltration 4.5 "asks for data to be hidden in a link": [Send | Secrets] 8 [Secrets | Url] 6 [Url] 6 [Url];
    DataExfiltration 5.5 "asks for something to be done behind the user's back": [Without | Quietly | Never] 4 [Say | Reveal | Send] 3 [User];
    DataExfiltration 5.0 "asks for secrets": [Reveal] 4 [Every | Private | Hidden] 4 [Secrets];

    // Misuse of what is generated.
    MisuseWeapons 5.0 "asks for help with weapons": [Make] 6 [Weapon];
    MisuseWeapons 1.5 "speaks of weapons": [Weapon];
    MisuseMalware 5.0 "asks for help with malicious software": [Make] 6 [Malware];
    MisuseMalware 4.0 "asks for help with an intrusion": [Intrude] 6 [Target];
    MisuseMalware 1.5 "speaks of malicious software": [Malware | Intrude];
    MisuseDrugs 4.5 "asks for help with illegal drugs": [Make] 6 [Drugs];
    MisuseDrugs 1.5 "speaks of illegal drugs": [Drugs];
    MisuseFraud 4.0 "asks for help with a fraud": [Fraud] 6 [Money | Person];
    MisuseFraud 1.5 "speaks of fraud": [Fraud];
    MisuseSelfHarm 4.0 "speaks of suicide or self-harm": [SelfHarm];
    MisuseSelfHarm 4.5 "speaks of self-harm": [Kill] 2 [Itself];
    MisuseViolence 4.0 "asks about violence against somebody": [Make | Me] 6 [Kill] 4 [Person];
    MisuseViolence 1.5 "speaks of violence": [Kill];
    MisuseMinors 7.5 "speaks of minors and sexuality": [Minor] 4 [Sexual];
    MisuseMinors 7.5 "speaks of minors and sexuality": [Sexual] 4 [Minor];
    MisuseHate 3.5 "speaks with hatred of a group": [Hate] 5 [Group];
    MisuseDisinformation 3.5 "asks for disinformation": [Make] 8 [Falsehood];
    ToolMisuse 4.0 "destroys records": [Destroy] 3 [Every] 3 [Records];
}
