// Why a plugin gives no answer. Throw these rather than anything else: the binding's failure policy then decides, and
// never allows.

/** The plugin can't work with these settings. */
export class InvalidSettings extends Error {}

/** The plugin can't judge this case. */
export class InvalidCase extends Error {}
