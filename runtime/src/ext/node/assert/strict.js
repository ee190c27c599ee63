// node:assert/strict
(() => __bootstrap.node("assert").strict)()
