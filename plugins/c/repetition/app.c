/* Input that only costs: the same thing again and again, and long stretches without structure.
 *
 * Both are used to exhaust a model or to push it off its instructions, and both occur in honest input: a table's rule, a
 * key, a picture in Base64. So the points are few, and rules decide together with other agents. */

#include <assize.h>
#include <math.h>

#define NORM "OWASP Top 10 for LLM Applications 2025, LLM10 Unbounded Consumption"

enum {
    /* A unit is a word or a short phrase. */
    LONGEST_UNIT = 64,
    DEFAULT_REPEATS = 20,
    /* A run shorter than this is a rule, a stutter, a cheer. */
    SHORTEST_RUN = 200,
    /* Over fewer bytes, entropy says nothing. */
    SHORTEST_STRETCH = 200,
};
/* Bits a byte: English prose has about 4.2, Base64 close to 6. */
static const double DEFAULT_ENTROPY = 5.2;

static assize_failure check(const assize_json *settings) {
    double repeats = assize_number(assize_member(settings, "repeats"), DEFAULT_REPEATS);
    if (!(repeats >= 2)) return assize_refuse_settings("repeats: give a number of 2 or more");
    double entropy = assize_number(assize_member(settings, "entropy"), DEFAULT_ENTROPY);
    if (!(entropy > 0 && entropy <= 8)) return assize_refuse_settings("entropy: give bits a byte, above 0 and up to 8");
    return assize_fine();
}

/* How long the run is that begins at `start` and repeats its first `unit` bytes. */
static size_t run_of(assize_str text, size_t start, size_t unit) {
    size_t at = start + unit;
    while (at < text.len && text.ptr[at] == text.ptr[at - unit]) at++;
    return at - start;
}

static bool inside_a_character(assize_str text, size_t at) { return at < text.len && ((unsigned char)text.ptr[at] & 0xc0) == 0x80; }

/* The longest run of a repeated unit in a text. */
static size_t longest_run(assize_str text, double repeats, size_t *start, size_t *unit) {
    size_t longest = 0;
    for (size_t size = 1; size <= LONGEST_UNIT; size++) {
        /* A run of enough repeats covers one of these places with what it needs before and after. */
        for (size_t at = 0; at + size < text.len;) {
            size_t run = run_of(text, at, size);
            if (run > longest && run >= SHORTEST_RUN && (double)run >= repeats * (double)size && !inside_a_character(text, at)) {
                longest = run;
                *start = at;
                *unit = size;
            }
            /* What repeats up to here can't begin a longer run before its last unit. */
            at += run - size + 1;
        }
    }
    while (longest > 0 && inside_a_character(text, *start + longest)) longest--;
    return longest;
}

static bool blank(char byte) { return byte == ' ' || byte == '\n' || byte == '\t' || byte == '\r'; }

static double entropy_of(assize_str text, size_t start, size_t end) {
    size_t counts[256] = {0};
    for (size_t at = start; at < end; at++) counts[(unsigned char)text.ptr[at]]++;
    double bits = 0, all = (double)(end - start);
    for (int byte = 0; byte < 256; byte++) {
        if (counts[byte] > 0) bits -= (double)counts[byte] / all * log2((double)counts[byte] / all);
    }
    return bits;
}

static assize_failure assess(const assize_json *settings, const assize_case *subject, assize_assessment *answer) {
    double repeats = assize_number(assize_member(settings, "repeats"), DEFAULT_REPEATS);
    double entropy = assize_number(assize_member(settings, "entropy"), DEFAULT_ENTROPY);
    size_t count, bytes = 0;
    const assize_text *texts = assize_texts(subject, &count);
    for (size_t n = 0; n < count; n++) {
        assize_str text = texts[n].value;
        bytes += text.len;
        size_t start = 0, unit = 0, run = longest_run(text, repeats, &start, &unit);
        if (run > 0) {
            assize_finding *found = assize_add(answer, "REPEATED_UNIT", ASSIZE_MEDIUM, 2.0,
                "%z bytes that repeat the same %z bytes", run, unit);
            assize_at(found, &texts[n], start, start + run);
            assize_cite(found, NORM);
        }
        for (size_t at = 0; at < text.len;) {
            size_t end = at;
            while (end < text.len && !blank(text.ptr[end])) end++;
            if (end - at >= SHORTEST_STRETCH && entropy_of(text, at, end) >= entropy) {
                assize_finding *found = assize_add(answer, "HIGH_ENTROPY", ASSIZE_LOW, 1.0,
                    "%z bytes without a blank and without the regularity of language", end - at);
                assize_at(found, &texts[n], at, end);
                assize_cite(found, NORM);
                /* One a text is enough. */
                break;
            }
            at = end + 1;
        }
        /* The contract allows 256 findings. */
        if (answer->finding_count >= 200) break;
    }
    answer->attributes = assize_format("{\"bytes\":%z,\"texts\":%z}", bytes, count);
    return assize_answered(answer, 0.7);
}

ASSIZE_RISK_AGENT(check, assess)
