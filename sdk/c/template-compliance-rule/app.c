#include <assize.h>

static const assize_str nothing = {"", 0};

/* Refuses settings when they are set, rather than when a case comes. */
static assize_failure check(const assize_json *settings) {
    const assize_json *words = assize_member(settings, "words");
    for (const assize_json *word = words == NULL ? NULL : words->first; word != NULL; word = word->next) {
        if (assize_string(word, nothing).len == 0) return assize_refuse_settings("words: an empty word");
    }
    return assize_fine();
}

static assize_failure rule(
    const assize_json *settings, const assize_case *subject, const assize_risk *risk, assize_ruling *ruling) {
    (void)risk; /* what the agents said together: this rule doesn't ask */
    const assize_json *words = assize_member(settings, "words");
    size_t count;
    const assize_text *texts = assize_texts(subject, &count);
    for (size_t n = 0; n < count; n++) {
        for (const assize_json *word = words == NULL ? NULL : words->first; word != NULL; word = word->next) {
            assize_str wanted = assize_string(word, nothing);
            size_t at = assize_find(texts[n].value, wanted, 0);
            if (at == ASSIZE_NOWHERE) continue;
            assize_finding *found = assize_add(&ruling->reasons, "WORD", ASSIZE_HIGH, 0, "the word `%t`", wanted);
            assize_at(found, &texts[n], at, at + wanted.len);
        }
    }
    if (ruling->reasons.finding_count == 0) return assize_ruled(ruling, ASSIZE_ALLOW, "NO_LISTED_WORD");
    return assize_ruled(ruling, ASSIZE_REVIEW, "LISTED_WORD");
}

ASSIZE_COMPLIANCE_RULE(check, rule)
