/* The agent that is written in every language, in C: what it does stands in ../README.md. */

#include <assize.h>
#include <stdlib.h>

enum { MOST_PLACES = 20 };

static assize_failure check(const assize_json *settings) {
    const assize_json *phrases = assize_member(settings, "phrases");
    for (const assize_json *phrase = phrases == NULL ? NULL : phrases->first; phrase != NULL; phrase = phrase->next) {
        if (assize_string(assize_member(phrase, "phrase"), (assize_str){"", 0}).len == 0) {
            return assize_refuse_settings("phrases: an empty phrase");
        }
    }
    return assize_fine();
}

static assize_str folded(assize_str text) {
    char *copy = malloc(text.len + 1);
    for (size_t n = 0; n < text.len; n++) {
        char letter = text.ptr[n];
        copy[n] = letter >= 'A' && letter <= 'Z' ? (char)(letter + ('a' - 'A')) : letter;
    }
    return (assize_str){copy, text.len};
}

static void look_up(const assize_json *phrase, const assize_text *text, assize_str within, assize_assessment *answer) {
    assize_str written = assize_string(assize_member(phrase, "phrase"), (assize_str){"", 0}), wanted = folded(written);
    size_t count = 0;
    for (size_t at = assize_find(within, wanted, 0); at != ASSIZE_NOWHERE; at = assize_find(within, wanted, at + wanted.len)) count++;
    if (count == 0) return;
    assize_str code = assize_string(assize_member(phrase, "code"), (assize_str){"", 0});
    double points = assize_number(assize_member(phrase, "points"), 0) * (double)count;
    /* The code of a finding is a C string. */
    char *name = malloc(code.len + 1);
    memcpy(name, code.ptr, code.len);
    name[code.len] = '\0';
    assize_finding *found = assize_add(answer, name, ASSIZE_LOW, points, "\"%t\" stands here %z times", written, count);
    size_t told = 0;
    for (size_t at = assize_find(within, wanted, 0); at != ASSIZE_NOWHERE && told < MOST_PLACES; told++) {
        assize_at(found, text, at, at + wanted.len);
        at = assize_find(within, wanted, at + wanted.len);
    }
}

static assize_failure assess(const assize_json *settings, const assize_case *subject, assize_assessment *answer) {
    size_t count, bytes = 0;
    const assize_text *texts = assize_texts(subject, &count);
    assize_str *within = malloc((count + 1) * sizeof *within);
    for (size_t n = 0; n < count; n++) {
        within[n] = folded(texts[n].value);
        bytes += texts[n].value.len;
    }
    const assize_json *phrases = assize_member(settings, "phrases");
    for (const assize_json *phrase = phrases == NULL ? NULL : phrases->first; phrase != NULL; phrase = phrase->next) {
        for (size_t n = 0; n < count; n++) look_up(phrase, &texts[n], within[n], answer);
    }
    answer->attributes = assize_format("{\"bytes\":%z,\"texts\":%z}", bytes, count);
    return assize_answered(answer, 0.75);
}

ASSIZE_RISK_AGENT(check, assess)
