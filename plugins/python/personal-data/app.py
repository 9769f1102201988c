"""Personal data in the strings of a case: what identifies a person by itself, checked by its own check digits where it has some.

It finds data of these forms and no others; a name, an address or a story about somebody has no form.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

import assize
from assize import Severity

GDPR = "Regulation (EU) 2016/679, Art. 4(1)"
LGPD = "Lei 13.709/2018 (LGPD), Art. 5, I"
PCI = "PCI DSS 4.0.1, requirement 3.4"


def luhn(digits: str) -> bool:
    """ISO/IEC 7812-1, Annex B."""
    total = 0
    for position, digit in enumerate(map(int, reversed(digits))):
        total += digit if position % 2 == 0 else sum(divmod(digit * 2, 10))
    return total % 10 == 0


def mod_97(iban: str) -> bool:
    """ISO 13616: the first four characters go to the end, letters count from 10, the remainder is 1."""
    turned = iban[4:] + iban[:4]
    return int("".join(str(int(character, 36)) for character in turned)) % 97 == 1


def mod_11(digits: str, weights: list[list[int]]) -> bool:
    """The two check digits of CPF and CNPJ (Receita Federal): each by its own weights over what stands before it."""
    if len(set(digits)) == 1:
        return False
    for own in weights:
        rest = sum(int(digit) * weight for digit, weight in zip(digits, own)) % 11
        if int(digits[len(own)]) != (0 if rest < 2 else 11 - rest):
            return False
    return True


def cpf(digits: str) -> bool:
    return mod_11(digits, [list(range(10, 1, -1)), list(range(11, 1, -1))])


def cnpj(digits: str) -> bool:
    first = [5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]
    return mod_11(digits, [first, [6, *first]])


@dataclass(frozen=True)
class Form:
    """One form of personal data."""

    code: str
    what: str
    severity: Severity
    points: float
    citation: str
    pattern: re.Pattern[str]
    # Of the match without blanks, dots, dashes and slashes.
    holds: Callable[[str], bool] = lambda _: True


# No letter, digit or joining sign directly before or after: what stands inside something longer is something else.
def alone(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w.+-]){pattern}(?!\w|[.-]\d)", re.ASCII)


FORMS = [
    Form("EMAIL_ADDRESS", "an e-mail address", Severity.LOW, 1.0, GDPR,
         re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![\w-])", re.ASCII)),
    Form("PHONE_NUMBER", "a telephone number", Severity.LOW, 1.0, GDPR,
         re.compile(r"(?<![\w+])\+[1-9](?:[ .()-]{0,2}\d){7,14}(?!\w)", re.ASCII)),
    Form("PAYMENT_CARD", "a payment card's number", Severity.HIGH, 4.0, PCI, alone(r"[2-6]\d{3}(?:[ -]?\d{4}){2}[ -]?\d{1,7}"),
         lambda digits: 13 <= len(digits) <= 19 and luhn(digits)),
    Form("BANK_ACCOUNT", "a bank account (IBAN)", Severity.MEDIUM, 3.0, GDPR,
         alone(r"[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?"),
         lambda iban: 15 <= len(iban) <= 34 and mod_97(iban)),
    Form("CPF", "a taxpayer's number (CPF)", Severity.HIGH, 3.0, LGPD, alone(r"\d{3}\.?\d{3}\.?\d{3}-?\d{2}"), cpf),
    Form("CNPJ", "a firm's number (CNPJ)", Severity.INFO, 0.0, LGPD, alone(r"\d{2}\.?\d{3}\.?\d{3}/?\d{4}-?\d{2}"), cnpj),
]  # fmt: skip
CODES = [form.code for form in FORMS]
# One finding may point at several places, and a list of customers has thousands.
MOST_PLACES = 20


@dataclass
class Settings:
    """`ignore`: codes not to look for. `own_domains`: e-mail addresses that may be seen."""

    ignore: list[str] = field(default_factory=list)
    own_domains: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, given: dict) -> "Settings":
        settings = cls(**given)
        for code in settings.ignore:
            if code not in CODES:
                raise ValueError(f"ignore: {code!r} is no code of this plugin; it has {', '.join(CODES)}")
        settings.own_domains = [domain.lower() for domain in settings.own_domains]
        return settings

    def may_be_seen(self, form: Form, found: str) -> bool:
        return form.code == "EMAIL_ADDRESS" and found.rpartition("@")[2].lower() in self.own_domains


def assess(settings: Settings, case: assize.Case) -> assize.Assessment:
    findings, counts = [], {}
    texts = case.texts()
    for form in FORMS:
        if form.code in settings.ignore:
            continue
        places = []
        for text in texts:
            for match in form.pattern.finditer(text):
                found = match.group()
                if form.holds(re.sub(r"[ ./-]", "", found)) and not settings.may_be_seen(form, found):
                    places.append((text, match.span()))
        if places:
            counts[form.code] = len(places)
            # What was found isn't repeated: the message is kept longer than the payload.
            message = form.what + (f", and {len(places) - 1} more" if len(places) > 1 else "")
            evidence = [text.at(*span) for text, span in places[:MOST_PLACES]]
            findings.append(assize.Finding(form.code, form.severity, message, form.points, evidence, form.citation))
    return assize.assessment(findings, 0.8 if findings else 0.6, {"found": counts})


Assessor = assize.risk_agent(assess, Settings.of)
