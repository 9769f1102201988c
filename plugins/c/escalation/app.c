/* Action `assize/escalation`: people look at what was decided at or above a verdict (`min_verdict`, review unless it says otherwise),
 * the sooner, the worse what rules found. Where a finding of a rule is critical, the governed application is asked for
 * `request`, too, e.g. `user.suspend`, with who acted as its parameter. */

#include <assize.h>
#include <stdlib.h>

static assize_failure check(const assize_json *settings) {
    const assize_json *request = assize_member(settings, "request");
    if (request != NULL && request->text.len == 0) return assize_refuse_settings("request: an empty name");
    return assize_fine();
}

static assize_severity worst(const assize_outcome *outcome) {
    assize_severity worst = outcome->verdict == ASSIZE_BLOCK ? ASSIZE_HIGH : ASSIZE_MEDIUM;
    for (size_t n = 0; n < outcome->judgment_count; n++) {
        const assize_assessment *reasons = &outcome->judgments[n].ruling.reasons;
        for (size_t found = 0; found < reasons->finding_count; found++) {
            if (reasons->findings[found].severity > worst) worst = reasons->findings[found].severity;
        }
    }
    return worst;
}

/* A JSON string that holds this text. */
static assize_str quoted(assize_str text) {
    static const char digits[] = "0123456789abcdef";
    char *quoted = malloc(text.len * 6 + 2), *next = quoted;
    *next++ = '"';
    for (size_t n = 0; n < text.len; n++) {
        unsigned char byte = (unsigned char)text.ptr[n];
        if (byte < ' ' || byte == '"' || byte == '\\') {
            const char code[] = {'\\', 'u', '0', '0', digits[byte >> 4], digits[byte & 15]};
            memcpy(next, code, sizeof code);
            next += sizeof code;
        } else {
            *next++ = (char)byte;
        }
    }
    *next++ = '"';
    return (assize_str){quoted, (size_t)(next - quoted)};
}

static assize_failure plan(
    const assize_json *settings, const assize_case *subject, const assize_outcome *outcome, assize_plan *plan) {
    assize_str least = assize_string(assize_member(settings, "min_verdict"), assize_str_of("review"));
    if (outcome->verdict < assize_verdict_of(least, ASSIZE_ALLOW)) return assize_fine();
    assize_severity severity = worst(outcome);
    assize_plan_escalation(plan, severity);
    assize_str request = assize_string(assize_member(settings, "request"), (assize_str){"", 0});
    if (severity == ASSIZE_CRITICAL && request.len > 0) {
        assize_str actor = subject->actor.ptr == NULL ? assize_str_of("null") : quoted(subject->actor);
        assize_str parameters = assize_format("{\"actor\":%t,\"decision\":%t}", actor, quoted(subject->id));
        assize_plan_request(plan, request, (assize_str){"", 0}, (assize_str){"", 0}, parameters);
    }
    return assize_fine();
}

ASSIZE_ACTION(check, plan)
