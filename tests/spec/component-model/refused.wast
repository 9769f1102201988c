;; What isn't valid, and what this engine doesn't run though others may.

(assert_invalid
  (component (core module $m (func (export "f"))) (core instance $i (instantiate $m))
    (func (export "f") (result string) (canon lift (core func $i "f"))))
  "canonical option `memory` is required")
(assert_invalid
  (component (core module $m (memory (export "memory") 1) (func (export "f") (param i32 i32))) (core instance $i (instantiate $m))
    (func (export "f") (param "x" string) (canon lift (core func $i "f") (memory (core memory $i "memory")))))
  "canonical option `realloc` is required")
(assert_invalid
  (component (core module $m (func (export "f") (result i64) (i64.const 0))) (core instance $i (instantiate $m))
    (func (export "f") (result u32) (canon lift (core func $i "f"))))
  "lowered result types")
(assert_invalid (component (core instance (instantiate 0))) "unknown module 0: module index out of bounds")
(assert_invalid (component (alias outer 9 0 (type))) "invalid outer alias count of 9")
(assert_invalid (component (type (variant))) "variant type must have at least one case")
(assert_invalid (component (type (record (field "a" u8) (field "A" u8)))) "conflicts with previous field name")
(assert_invalid (component (type $t (record (field "a" u8))) (import "f" (func (param "x" $t)))) "func not valid to be used as import")
(assert_invalid (component (import "a" (func)) (import "A" (func))) "conflicts with previous name")
(assert_malformed (component quote "(component (import \"a\" (func)") "expected `)`")

;; Proposals that are off: one each. With them, two runs could differ, or a limit not see what it must.
(assert_invalid (component (core module (memory 1 1 shared))) "threads must be enabled for shared memories")
(assert_invalid
  (component (core module (memory 1) (func (drop (i32.atomic.load (i32.const 0)))))) "threads support is not enabled")
(assert_invalid (component (core module (memory i64 1))) "memory64 must be enabled for 64-bit memories")
(assert_invalid (component (core module (memory 1 (pagesize 1)))) "the custom page sizes proposal must be enabled")
(assert_invalid (component (core module (tag))) "exceptions proposal not enabled")
(assert_invalid (component (core module (type (struct)))) "gc")
(assert_invalid (component (core module (func (param v128) (result v128)
    (f32x4.relaxed_min (local.get 0) (local.get 0))))) "relaxed SIMD support is not enabled")
(assert_invalid (component (core module (func (param (ref func))))) "function references required")
(assert_invalid (component (type (stream u8))) "requires the component model async feature")
(assert_invalid (component (type (future u8))) "requires the component model async feature")
(assert_invalid (component (type (list u8 4))) "fixed-length lists")
