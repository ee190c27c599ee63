// node:tty: there is none.
(() => ({ isatty: () => false, ReadStream: undefined, WriteStream: undefined }))()
