/* Between the generated bindings of world `action` and a plugin's function. For components only. */

#include "../bindings/action.h"

typedef action_string_t wire_string;
typedef action_option_string_t wire_option;
#include "wire.h"

typedef exports_assize_plugin_planner_effect_t wire_effect;

static assize_outcome read_outcome(const exports_assize_plugin_planner_outcome_t *wire) {
    assize_judgment *judgments = list_of(wire->judgments.len, sizeof *judgments);
    for (size_t n = 0; n < wire->judgments.len; n++) {
        const exports_assize_plugin_planner_judgment_t *from = &wire->judgments.ptr[n];
        judgments[n] = (assize_judgment){
            .binding = read(from->binding), .plugin = read(from->plugin), .version = read(from->version),
            .ruling = {.verdict = (assize_verdict)from->ruling.verdict, .code = read(from->ruling.code)},
        };
        read_findings(from->ruling.findings, &judgments[n].ruling.reasons);
    }
    return (assize_outcome){
        .verdict = (assize_verdict)wire->verdict, .reason = read(wire->reason), .risk = read_risk(&wire->risk),
        .judgments = judgments, .judgment_count = wire->judgments.len,
    };
}

static wire_effect write_effect(const assize_effect *from) {
    /* The contract's order is ours. */
    wire_effect told = {.tag = (uint8_t)from->kind};
    switch (from->kind) {
    case ASSIZE_EFFECT_ALERT:
        told.val.alert = (exports_assize_plugin_planner_alert_t){(uint8_t)from->severity, write(from->what), write(from->with)};
        break;
    case ASSIZE_EFFECT_WEBHOOK:
        told.val.webhook = (exports_assize_plugin_planner_webhook_t){write(from->what), write(from->with)};
        break;
    case ASSIZE_EFFECT_ADJUST:
        told.val.adjust =
            (exports_assize_plugin_planner_adjustment_t){write(from->what), write(from->key), write(from->with)};
        break;
    case ASSIZE_EFFECT_CREATE_RULE:
        told.val.create_rule =
            (exports_assize_plugin_planner_temporary_rule_t){write(from->what), write(from->with), from->seconds};
        break;
    case ASSIZE_EFFECT_DISABLE_RULE:
        told.val.disable_rule = write(from->what);
        break;
    case ASSIZE_EFFECT_ESCALATE:
        told.val.escalate = (uint8_t)from->severity;
        break;
    case ASSIZE_EFFECT_PERFORM:
        told.val.perform = (exports_assize_plugin_planner_request_t){
            write(from->what), {from->amount.ptr != NULL, {write(from->amount), write(from->currency)}}, write(from->with)};
        break;
    }
    return told;
}

bool exports_assize_plugin_planner_validate_settings(wire_string *text, exports_assize_plugin_planner_failure_t *told) {
    const assize_json *settings;
    return fine(settings_of(text, &settings), told);
}

bool exports_assize_plugin_planner_plan(wire_string *text, exports_assize_plugin_planner_case_t *wire,
    exports_assize_plugin_planner_outcome_t *wire_outcome, exports_assize_plugin_planner_list_effect_t *told,
    exports_assize_plugin_planner_failure_t *failed) {
    const assize_json *settings;
    assize_case subject;
    assize_plan plan = {0};
    assize_failure failure = asked(text, wire, &settings, &subject);
    if (failure.kind == ASSIZE_FINE) {
        assize_outcome outcome = read_outcome(wire_outcome);
        failure = assize_plugin_action(settings, &subject, &outcome, &plan);
    }
    if (!fine(failure, failed)) return false;
    wire_effect *effects = list_of(plan.effect_count, sizeof *effects);
    for (size_t n = 0; n < plan.effect_count; n++) effects[n] = write_effect(&plan.effects[n]);
    *told = (exports_assize_plugin_planner_list_effect_t){effects, plan.effect_count};
    return true;
}

/* As in component_risk_agent.c. */
void __component_type_object_force_link_action(void) {}
