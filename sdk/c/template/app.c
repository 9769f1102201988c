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

static assize_failure assess(const assize_json *settings, const assize_case *subject, assize_assessment *answer) {
    const assize_json *words = assize_member(settings, "words");
    size_t count;
    const assize_text *texts = assize_texts(subject, &count);
    for (size_t n = 0; n < count; n++) {
        for (const assize_json *word = words == NULL ? NULL : words->first; word != NULL; word = word->next) {
            assize_str wanted = assize_string(word, nothing);
            size_t at = assize_find(texts[n].value, wanted, 0);
            if (at == ASSIZE_NOWHERE) continue;
            assize_finding *found = assize_add(answer, "WORD", ASSIZE_LOW, 2.0, "the word `%t`", wanted);
            assize_at(found, &texts[n], at, at + wanted.len);
        }
    }
    return assize_answered(answer, 0.9);
}

ASSIZE_RISK_AGENT(check, assess)
