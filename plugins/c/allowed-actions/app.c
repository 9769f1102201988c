/* Rule `assize/allowed-actions`: what an agent may do is listed; anything else isn't allowed.
 *
 * `actions` lists names, of which the last letter may be `*`: `search`, `calendar.read*`. An action that isn't listed, or a case of
 * an agent's action without a name, is sent to a person, or blocked where `otherwise` says so. `kinds` are the kinds of cases that are
 * actions (`agent-action` unless it says otherwise); other cases are none of this rule's business, and allowed by it. */

#include <assize.h>

static assize_failure check(const assize_json *settings) {
    const assize_json *actions = assize_member(settings, "actions");
    for (const assize_json *action = actions == NULL ? NULL : actions->first; action != NULL; action = action->next) {
        if (action->text.len == 0) return assize_refuse_settings("actions: an empty name");
        if (memchr(action->text.ptr, '*', action->text.len - 1) != NULL) {
            return assize_refuse_settings("actions: `%t` has a `*` before its end, where it would mean itself", action->text);
        }
    }
    return assize_fine();
}

static bool matches(assize_str pattern, assize_str action) {
    if (pattern.ptr[pattern.len - 1] != '*') return assize_equal(pattern, action);
    size_t prefix = pattern.len - 1;
    return action.len >= prefix && memcmp(pattern.ptr, action.ptr, prefix) == 0;
}

static bool listed(const assize_json *list, assize_str wanted) {
    for (const assize_json *item = list == NULL ? NULL : list->first; item != NULL; item = item->next) {
        if (item->text.len > 0 && matches(item->text, wanted)) return true;
    }
    return false;
}

static assize_failure rule(
    const assize_json *settings, const assize_case *subject, const assize_risk *risk, assize_ruling *ruling) {
    (void)risk;
    const assize_json *kinds = assize_member(settings, "kinds");
    bool judged = kinds == NULL ? assize_equal(subject->kind, assize_str_of("agent-action")) : listed(kinds, subject->kind);
    if (!judged) return assize_ruled(ruling, ASSIZE_ALLOW, "NO_ACTION");
    if (subject->action.len > 0 && listed(assize_member(settings, "actions"), subject->action)) {
        return assize_ruled(ruling, ASSIZE_ALLOW, "ACTION_LISTED");
    }
    if (subject->action.len == 0) {
        assize_add(&ruling->reasons, "ACTION_UNNAMED", ASSIZE_HIGH, 0, "the case doesn't say which action it is");
    } else {
        assize_add(&ruling->reasons, "ACTION_NOT_LISTED", ASSIZE_HIGH, 0, "`%t` isn't among the actions that are allowed", subject->action);
    }
    assize_str otherwise = assize_string(assize_member(settings, "otherwise"), assize_str_of("review"));
    bool blocked = assize_equal(otherwise, assize_str_of("block"));
    return assize_ruled(ruling, blocked ? ASSIZE_BLOCK : ASSIZE_REVIEW, "ACTION_NOT_ALLOWED");
}

ASSIZE_COMPLIANCE_RULE(check, rule)
