// node:console
(() => console)()
