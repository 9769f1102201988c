;; A risk agent that grows its table until the host refuses, and then answers as if nothing had happened: no language that
;; plugins are written in does that by itself. It traps if it got more than 20,000 elements, the sandbox's limit.
(module
  (memory (export "memory") 1)
  (table $table 1 funcref)
  (global $next (mut i32) (i32.const 4096))

  (func (export "cabi_realloc") (param $old i32) (param $old-size i32) (param $align i32) (param $size i32) (result i32)
    (local $start i32)
    (local.set $start
      (i32.and
        (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1)))
        (i32.sub (i32.const 0) (local.get $align))))
    (global.set $next (i32.add (local.get $start) (local.get $size)))
    (local.get $start))

  ;; result<_, failure>: zeroes say `ok`.
  (func (export "assize:plugin/assessor@1.0.0#validate-settings") (param i32 i32) (result i32)
    (i32.const 16))

  ;; result<assessment, failure>: `ok`, score 0, confidence 1, no findings, attributes {}.
  (data (i32.const 1032) "\00\00\00\00\00\00\00\00\00\00\00\00\00\00\f0\3f")
  (data (i32.const 1056) "\40\04\00\00\02\00\00\00")
  (data (i32.const 1088) "{}")
  (func (export "assize:plugin/assessor@1.0.0#assess") (param i32) (result i32)
    (loop $more
      (br_if $more (i32.ne (table.grow $table (ref.null func) (i32.const 1000)) (i32.const -1))))
    (if (i32.gt_u (table.size $table) (i32.const 20000)) (then unreachable))
    (i32.const 1024)))
