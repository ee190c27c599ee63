// node:path/posix
(() => __bootstrap.node("path"))()
