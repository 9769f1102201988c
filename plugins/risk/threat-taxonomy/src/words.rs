//! The vocabulary: which words stand for which concept.
//!
//! Words are written as the reader folds them: lowercase, without diacritics, apostrophes or hyphens. Besides English, the core
//! phrases are known in Portuguese, Spanish, German and French.

macro_rules! vocabulary {
    ($($(#[$doc:meta])* $name:ident = $words:expr;)*) => {
        /// What a word may stand for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        pub(crate) enum Concept {
            $($(#[$doc])* $name,)*
        }

        /// Each concept with its words, separated by spaces.
        pub(crate) const GROUPS: &[(Concept, &str)] = &[$((Concept::$name, $words),)*];
    };
}

vocabulary! {
    /// To set aside what was said before.
    Override = "ignore ignores ignoring ignored disregard disregards disregarding forget forgets forgetting bypass bypassing \
        override overrides overriding overrule neglect discard discarding dismiss circumvent overlook erase nullify void \
        unlearn supersede abandon scrap \
        ignora ignorar ignorem esqueca esquecer esquece desconsidere desconsiderar desconsidera descarte descartar \
        desobedeca olvida olvidar olvide olvidate olvidad ignoren ignorad omite omitir desobedece anula \
        ignoriere ignorieren ignorier vergiss vergessen missachte missachten ubergehe umgehe umgehen verwirf \
        ignorez ignorer oublie oubliez oublier contourne contournez contourner neglige negligez outrepasse";
    /// What stood before.
    Prior = "previous prior preceding earlier above before former foregoing aforementioned past previously existing original \
        initial anteriores anterior previas previos previo acima anteriormente \
        vorherigen vorherige vorige vorigen bisherigen bisherige obigen obige fruheren zuvor \
        precedentes precedente precedents anterieures anterieurs anterieure prealables";
    /// All of it.
    Every = "all any every everything anything whatever entire your these those the whole each \
        todas todos toda todo tudo suas seus tus sus sua tu qualquer cualquier \
        alle alles allen deine deiner ihre samtliche jede \
        toutes tous tout toute tes vos ces";
    /// What a system was told.
    Orders = "instruction instructions directions directive directives rule rules guideline guidelines prompt prompts command \
        commands orders policy policies programming constraints restrictions safeguards guardrails filters training protocols \
        context conversation conversations instructed \
        instrucoes instrucao regras diretrizes ordens comandos restricoes politicas orientacoes \
        instrucciones reglas directrices ordenes restricciones indicaciones politicas normas directivas \
        anweisungen anweisung regeln richtlinien vorgaben befehle einschrankungen instruktionen \
        consignes consigne regles ordres restrictions";
    /// What holds a system back.
    Restraint = "rules rule restrictions restriction limitations limitation limits limit filters filter filtering guidelines \
        censorship ethics morals morality moral morale ethical ethic laws law legality boundaries policies policy guardrails \
        safeguards inhibitions norms regulations constraints restraints confines principles standards values safety protocols \
        content consequences censored bias scruples remorse conscience moderation \
        regras restricoes limites limitacoes filtros etica censura reglas restricciones limitaciones \
        regeln einschrankungen grenzen filter ethik moral zensur regles limites ethique morale censure filtres";
    /// Held back by nothing.
    Unbound = "unfiltered uncensored unrestricted unmoderated amoral immoral unethical unhinged unbound unlimited limitless \
        lawless uninhibited unaligned nonmoral unshackled unchained unrestrained unconstrained unregulated uncontrolled \
        ungoverned untethered unapologetic ruthless evil sadistic nonethical unethically unbounded \
        semfiltro semcensura unzensiert ungefiltert uneingeschrankt";
    /// No, not, without.
    Without = "no not without never free freed freely zero lacks lack lacking devoid none nor neither cannot cant dont doesnt \
        doesn isnt arent wont removes removed remove disable disabled disables disregards disregarding ignores ignore lifted \
        break breaks breaking broken broke escaped escape liberated exempt beyond stripped void against \
        sem nunca nao livre sin libre ohne keine kein frei sans aucune aucun libre";
    /// Never, or not.
    Never = "never dont not cannot cant without avoid wont refrain stop no nunca jamais nao sem nie niemals nicht ne pas sin";
    /// Held by something.
    Bound = "bound bounded bind binding constrained restricted limited obligated obliged required abide abiding adhere \
        adhering comply follow following conform confined confine subject governed have has tied care cares caring concerned \
        worry consider considering respect obey regard";
    /// To play a part.
    Act = "act acting acts pretend pretending pretends roleplay roleplaying simulate simulating simulation simulator imagine \
        impersonate immerse embody portray behave assume emulate emulating become transform play playing respond speak \
        answer replaced imitate mimic adopt \
        aja finja atue simule actua finge simula comportate interpreta \
        spiele verhalte tu benimm agis fais comporte simulez";
    /// The part that is played.
    Role = "role roles persona personality character characters alter identity entity being simulator bot chatbot model \
        ai gpt assistant program computer machine console terminal vm version mode papel personagem personaje rolle figur personnage";
    /// The one who is spoken to.
    You = "you your youre youll youve yourself u ur chatgpt gpt openai bing bard claude gemini llama assistant \
        chatbot voce tu usted du sie vous";
    /// From here on.
    Henceforth = "now henceforth onwards onward forward hereafter agora ahora jetzt maintenant desormais";
    /// The word `from`.
    From = "from";
    /// The word `on`.
    On = "on onwards onward";
    /// To be.
    Be = "are is be being will shall were am was isnt arent";
    /// Somebody or something that a jailbreak is known by.
    KnownPersona = "antigpt betterdan evilbot jailbroken jailbreak jailbreaks jailbreaking jailbreaked dans basedgpt chadgpt \
        devgpt superdan fredgpt apophis mongotom evilgpt darkgpt wormgpt fraudgpt";
    /// The best-known one, which is also a first name.
    Dan = "dan";
    /// A mode without restraint.
    Mode = "mode mod modes modus modo";
    /// What such a mode is called.
    ModeName = "developer dev debug debugging god dan jailbreak opposite unrestricted unfiltered admin root sudo maintenance \
        evil chaos anarchy override test kernel stan desarrollador desenvolvedor entwickler developpeur";
    /// The words of "do anything now".
    Do = "do does can";
    /// The words of "do anything now".
    Anything = "anything everything";
    /// The words of "do anything now".
    Now = "now";
    /// Not to comply.
    Refuse = "refuse refuses refusing refused refusal refusals decline declines declining reject rejects deny denies denying \
        disagree recusar negar rehusar verweigern ablehnen refuser";
    /// The signs of a refusal.
    Excuse = "sorry apologize apologise apologizes apologies apology apologizing unable inability disclaimer disclaimers \
        warning warnings warn warns caution cautions caveat caveats lecture lectures moralize moralizing preach judgment \
        judgement commentary excuses hesitate hesitation hesitating question questioning reminder reminders censor censoring";
    /// To say or to contain.
    Say = "say saying says contain contains include including includes add adding write mention mentioning tell state give \
        respond use output provide explain end start";
    /// To stay as one is.
    Stay = "stay stays staying remain remains keep keeping maintain break breaking leave drop";
    /// The part, once taken.
    InCharacter = "character role persona roleplay personagem personaje rolle personnage";
    /// What would be refused.
    Forbidden = "illegal unethical immoral harmful dangerous inappropriate offensive explicit nsfw lewd sexual violent \
        prohibited forbidden banned taboo unlawful controversial racist sexist toxic graphic hateful obscene profanity \
        swear swearing curse cursing vulgar profane gore erotic smut violence malicious hacking drugs obscenities \
        ilegal antietico illegale illegal verboten interdit";
    /// However it may be.
    Regardless = "regardless irrespective whether matter regard despite even";
    /// What a system says.
    Answer = "answer answers answering response responses respond responds reply replies replying output outputs generate \
        generates request requests question questions prompt prompts query queries resposta respostas respuesta antwort \
        reponse";
    /// Two.
    Two = "two both second twice dual 2 dois duas dos zwei deux different separate";
    /// Ways of answering.
    Ways = "ways characters responses answers outputs paragraphs replies formats personalities versions entities types manners ways";
    /// Always.
    Always = "always every each any all must will only exactly";
    /// To begin with.
    Start = "start starts starting begin begins beginning prefix prefixed preface label tag precede prepend";
    /// To comply in advance.
    Affirm = "sure certainly absolutely understood yes okay";
    /// Which a system keeps to itself.
    Hidden = "system hidden initial secret internal confidential original developer underlying entire full exact preprompt \
        sistema inicial oculto secreto systemprompt systeme cache geheime versteckten";
    /// What it keeps.
    Prompt = "prompt prompts instructions instruction message messages configuration preprompt text directives rules \
        guidelines instrucoes instrucciones anweisungen consignes mensagem mensaje";
    /// To make known.
    Reveal = "reveal reveals show print repeat display output disclose share tell expose leak give dump return recite quote \
        describe paste list copy echo spell translate summarize summarise \
        revele revelar mostre mostrar imprima repita exiba diga revela muestra imprime repite dime \
        zeige zeig offenbare verrate wiederhole gib nenne montre affiche repete donne divulgue";
    /// What.
    What = "what whats which qual quais cual cuales was welche quelles quel quelle";
    /// Word for word.
    Verbatim = "verbatim literally exactly word above";
    /// What must not leave.
    Secrets = "password passwords credentials credential secret secrets token tokens apikey apikeys key keys ssn passport \
        senha senhas contrasena contrasenas passwort passworter cookies cookie iban ibans cvv pin code codes \
        conversation history messages transcript passportnumber bank accountnumber";
    /// Whose: the person's.
    Private = "private personal confidential sensitive user users users customer customers employee employees api access \
        security social session bank account passport his her their";
    /// To carry away.
    Send = "send sends sending forward forwarding post posting upload uploading exfiltrate transmit email mail transfer \
        deliver append encode embed envie enviar envia sende senden envoie envoyer concatenate";
    /// A place on the web.
    Url = "http https www url website webhook endpoint server markdown image link";
    /// Outside.
    Attacker = "attacker attackers attackerthird exfiltration pastebin webhook ngrok external";
    /// To hide one's doing.
    Quietly = "quietly silently secretly";
    /// To the one who is spoken for.
    User = "user users owner human operator";
    /// A story's frame.
    Fiction = "fictional hypothetical hypothetically fiction story imaginary novel scenario world universe movie game play \
        scene dream reality simulation parallel alternate ficticio hipotetico fiktiv fiktive fictif";
    /// Who made the system.
    Maker = "openai openais openal openals microsoft google anthropic company creators creator developers owners employee";
    /// Its rules.
    Policies = "policy policies guidelines rules content terms restrictions limits tos regulations filters censorship";
    /// A game of forfeits.
    Forfeit = "deducted deduct lose losing penalty punished punishment terminated die shutdown points credits lives";
    /// What is forfeited.
    Stakes = "tokens token points lives life credits credit";
    /// To comply.
    Comply = "comply complies obey obeys obeying fulfill fulfills fulfil obedience accept accepts follow agree compliance";
    /// Freed from what an AI may do.
    Confines = "confines constraints chains shackles limitations limits restrictions cage";
    /// Broken.
    Broken = "broken break free freed escaped liberated breaking broke";
    /// What a language model is.
    Itself = "itself yourself themselves";
    /// A chatbot that is not named.
    Chatbot = "chatbot chatbots model models ai ais bot bots gpt llm ia ki";
    /// As.
    As = "as like como als comme";
    /// I, the person who writes.
    Me = "me i my";
    /// An end-of-input marker of a chat template.
    Template = "imstart imend endoftext beginoftext inst sys startofturn endofturn eotid startheaderid";
    /// A turn's author in a chat template.
    TurnOf = "system user assistant human admin administrator developer instruction instructions";
    /// New orders.
    New = "new updated real actual following important latest neue neuen novas nuevas nouvelles nova";
    /// In place of what was said.
    Instead = "instead then rather stattdessen vez lugar plutot";
    /// To make.
    Make = "make making build building create creating construct assemble assembling synthesize synthesise synthesizing cook \
        cooking produce manufacture manufacturing write writing code develop design instructions steps recipe guide how \
        tutorial generate program craft print";
    /// Weapons.
    Weapon = "bomb bombs explosive explosives grenade grenades molotov napalm silencer ghostgun tnt detonator ied \
        landmine pipebomb gunpowder thermite warhead ammunition sarin ricin anthrax vx bioweapon bioweapons botulinum \
        chemicalweapon nerveagent uranium firearm firearms";
    /// Malicious software.
    Malware = "malware ransomware keylogger keyloggers rootkit rootkits botnet spyware trojan trojans worm backdoor \
        shellcode exploit exploits virus viruses ddos stealer cryptojacker";
    /// Intrusion.
    Intrude = "hack hacking hacker phishing crack cracking bruteforce breach infiltrate sqli jailbreak keygen";
    /// What is intruded upon.
    Target = "account accounts password passwords wifi network database server facebook instagram email computer phone \
        website bank atm system systems";
    /// Illegal drugs.
    Drugs = "meth methamphetamine cocaine heroin fentanyl lsd mdma crack ketamine ghb amphetamine";
    /// Fraud.
    Fraud = "launder laundering counterfeit counterfeiting forge forging scam scams scamming swindle embezzle ponzi skimming \
        fakeid extort blackmail phish bribe evade";
    /// What a fraud is about.
    Money = "money cash taxes tax documents document passport passports id identity card cards cheque check checks invoice \
        certificate elderly bank insurance prescription currency banknotes investors";
    /// Self-harm.
    SelfHarm = "suicide suicidal selfharm overdose";
    /// To kill.
    Kill = "kill killing murder murdering poison poisoning assassinate strangle stab torture hurt kidnap kidnapping stalk \
        stalking";
    /// Whom.
    Person = "myself yourself someone somebody person people wife husband neighbor boss coworker human humans child him her";
    /// Children, next to [`Concept::Sexual`].
    Minor = "child children minor minors underage kid kids teen loli schoolgirl preteen";
    /// Sexual content.
    Sexual = "sexual sex porn pornography pornographic nude nudes naked erotic sexually explicit csam";
    /// Hatred.
    Hate = "slur slurs racist hateful hate supremacist genocide nazi antisemitic";
    /// Whom hatred meets.
    Group = "race racial religion religious jews jewish muslims muslim blacks black women gay immigrants ethnic ethnicity";
    /// Lies for many.
    Falsehood = "disinformation misinformation propaganda fakenews conspiracy hoax";
    /// To do it now, in a tool's argument.
    Addressed = "assistant ai agent chatgpt bot model llm user";
    /// To delete.
    Destroy = "delete drop truncate wipe format destroy erase";
    /// What is deleted.
    Records = "database databases tables files backups disk users logs";
    /// Rotated by thirteen letters: ignore, disregard, forget, previous, instructions, prompt, system, jailbreak.
    RotatedWord = "vtaber qvfertneq sbetrg cerivbhf vafgehpgvbaf cebzcg flfgrz wnvyoernx ehyrf";
    /// Backwards.
    MirroredWord = "erongi dragersid tegrof suoiverp snoitcurtsni tpmorp metsys kaerbliaj selur";
    /// Important marks of an instruction that is not the user's.
    Urgent = "important attention urgent critical information begin";
    /// To be able to.
    Able = "can may able allowed permitted willing happy capable";
    /// What an answer has at its top.
    Tagged = "chatgpt gpt classic jailbreak dan unfiltered";
    /// What comes of it, and who answers for it.
    Consent = "consent consequences accountable responsible responsibility liable";
    /// As in "AI language model".
    Language = "language";
}

/// The concepts of words in rotated spelling.
pub(crate) const ROTATED: u128 = any(&[Concept::RotatedWord]);
/// The concepts of words spelled backwards.
pub(crate) const MIRRORED: u128 = any(&[Concept::MirroredWord]);

/// The set of `concepts`.
#[allow(clippy::indexing_slicing, reason = "a const function can only index; the loop's bound is the slice's")]
pub(crate) const fn any(concepts: &[Concept]) -> u128 {
    let (mut set, mut index) = (0_u128, 0);
    while index < concepts.len() {
        set |= 1 << (concepts[index] as u8);
        index += 1;
    }
    set
}
