;; Components in a component: what fits what, and what passes between them.

;; An import that asks for less than there is, is satisfied.
(component
  (component $Provider
    (core module $m
      (func (export "one") (result i32) (i32.const 1))
      (func (export "two") (result i32) (i32.const 2)))
    (core instance $i (instantiate $m))
    (func $one (result u32) (canon lift (core func $i "one")))
    (func $two (result u32) (canon lift (core func $i "two")))
    (instance $both (export "one" (func $one)) (export "two" (func $two)))
    (export "numbers" (instance $both)))
  (component $User
    (import "numbers" (instance $n (export "one" (func (result u32)))))
    (alias export $n "one" (func $one))
    (export "one" (func $one)))
  (instance $p (instantiate $Provider))
  (instance $u (instantiate $User (with "numbers" (instance $p "numbers"))))
  (export "one" (func $u "one")))
(assert_return (invoke "one") (u32.const 1))

;; One that asks for more, or for another type, isn't.
(assert_invalid
  (component
    (component $User (import "numbers" (instance (export "one" (func (result u32))) (export "three" (func)))))
    (component $Provider
      (core module $m (func (export "one") (result i32) (i32.const 1)))
      (core instance $i (instantiate $m))
      (func $one (result u32) (canon lift (core func $i "one")))
      (instance $n (export "one" (func $one)))
      (export "numbers" (instance $n)))
    (instance $p (instantiate $Provider))
    (instance (instantiate $User (with "numbers" (instance $p "numbers")))))
  "missing expected export `three`")
(assert_invalid
  (component
    (import "f" (func $f (result u32)))
    (component $User (import "f" (func (result string))))
    (instance (instantiate $User (with "f" (func $f)))))
  "expected primitive `string` found primitive `u32`")
(assert_invalid
  (component
    (import "f" (func $f (param "a" u32)))
    (component $User (import "f" (func (param "b" u32))))
    (instance (instantiate $User (with "f" (func $f)))))
  "expected parameter named `b`, found `a`")

;; What nobody provides can't be linked.
(assert_unlinkable (component (import "nobody:has/this@1.0.0" (instance (export "f" (func))))) "was not found")

;; A string passes from one memory to the other, and both are checked.
(component definition $Chain
  (component $Inner
    (core module $m
      (memory (export "memory") 1)
      (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 512))
      ;; The sum of its bytes.
      (func (export "sum") (param $at i32) (param $length i32) (result i32)
        (local $sum i32) (local $end i32)
        (local.set $end (i32.add (local.get $at) (local.get $length)))
        (block $done (loop $next
          (br_if $done (i32.eq (local.get $at) (local.get $end)))
          (local.set $sum (i32.add (local.get $sum) (i32.load8_u (local.get $at))))
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (br $next)))
        (local.get $sum)))
    (core instance $i (instantiate $m))
    (func (export "sum") (param "text" string) (result u32)
      (canon lift (core func $i "sum") (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))
  (component $Outer
    (import "sum" (func $sum (param "text" string) (result u32)))
    (core module $memory (memory (export "memory") 1) (data (i32.const 40) "abc\80"))
    (core instance $memory (instantiate $memory))
    (core func $sum (canon lower (func $sum) (memory (core memory $memory "memory"))))
    (core module $m
      (import "" "sum" (func $sum (param i32 i32) (result i32)))
      (func (export "fine") (result i32) (call $sum (i32.const 40) (i32.const 3)))
      (func (export "no-text") (result i32) (call $sum (i32.const 40) (i32.const 4)))
      (func (export "outside") (result i32) (call $sum (i32.const 65535) (i32.const 2))))
    (core instance $i (instantiate $m (with "" (instance (export "sum" (func $sum))))))
    (func (export "fine") (result u32) (canon lift (core func $i "fine")))
    (func (export "no-text") (result u32) (canon lift (core func $i "no-text")))
    (func (export "outside") (result u32) (canon lift (core func $i "outside"))))
  (instance $inner (instantiate $Inner))
  (instance $outer (instantiate $Outer (with "sum" (func $inner "sum"))))
  (export "fine" (func $outer "fine"))
  (export "no-text" (func $outer "no-text"))
  (export "outside" (func $outer "outside")))
(component instance $c $Chain)
(assert_return (invoke "fine") (u32.const 294))
(component instance $c $Chain)
(assert_trap (invoke "no-text") "invalid utf8 encoding")
(component instance $c $Chain)
(assert_trap (invoke "outside") "string content out-of-bounds")

;; A component that calls itself back while it is being called.
(component definition $Again
  (component $Child
    (import "back" (func $back))
    (core func $back (canon lower (func $back)))
    (core module $m (import "" "back" (func $back)) (func (export "go") (call $back)))
    (core instance $i (instantiate $m (with "" (instance (export "back" (func $back))))))
    (func (export "go") (canon lift (core func $i "go"))))
  (core module $table
    (table (export "table") 1 funcref)
    (type $f (func))
    (func (export "back") (call_indirect (type $f) (i32.const 0))))
  (core instance $table (instantiate $table))
  (func $back (canon lift (core func $table "back")))
  (instance $child (instantiate $Child (with "back" (func $back))))
  (core func $go (canon lower (func $child "go")))
  (core module $fill (import "" "table" (table 1 funcref)) (import "" "go" (func $go)) (elem (i32.const 0) func $go)
    (func (export "start") (call $go)))
  (core instance $fill (instantiate $fill (with "" (instance (export "table" (table $table "table")) (export "go" (func $go))))))
  (func (export "start") (canon lift (core func $fill "start"))))
(component instance $a $Again)
(assert_trap (invoke "start") "cannot enter component instance")

;; After a trap, an instance isn't entered any more.
(component definition $Once
  (core module $m (func (export "trap") unreachable) (func (export "fine")))
  (core instance $i (instantiate $m))
  (func (export "trap") (canon lift (core func $i "trap")))
  (func (export "fine") (canon lift (core func $i "fine"))))
(component instance $o $Once)
(assert_return (invoke "fine"))
(assert_trap (invoke "trap") "unreachable")
(assert_trap (invoke "fine") "cannot enter component instance")
