//! Web Cryptography.

use super::{Patch, patch};

pub const PATCHES: &[Patch] = &[
    // Web Cryptography: Deno's own doors into keys stay with this script. With them, a program could
    // read keys that may not be extracted.
    patch(
        "deno_crypto/00_crypto.js",
        "const CryptoKeyPrototype = CryptoKey.prototype;",
        "const { exportNodeMaterial, fromCloneData, importSync } = CryptoKey;\nconst { create: createCrypto, registerSymbols } = Crypto;\nconst { create: createSubtle } = SubtleCrypto;\ndelete CryptoKey.exportNodeMaterial;\ndelete CryptoKey.fromCloneData;\ndelete CryptoKey.importSync;\ndelete Crypto.create;\ndelete Crypto.registerSymbols;\ndelete SubtleCrypto.create;\nconst CryptoKeyPrototype = CryptoKey.prototype;",
    ),
    patch("deno_crypto/00_crypto.js", "CryptoKey.fromCloneData(data),", "fromCloneData(data),"),
    // The last of them makes keys of Ed448 (`ed448.js`).
    patch(
        "deno_crypto/00_crypto.js",
        "  CryptoKey,\n  cryptoKeyExport",
        "  CryptoKey,\n  fromCloneData,\n  cryptoKeyExport",
    ),
    patch("deno_crypto/00_crypto.js", "CryptoKey.exportNodeMaterial(cryptoKey);", "exportNodeMaterial(cryptoKey);"),
    patch("deno_crypto/00_crypto.js", "CryptoKey.importSync(format,", "importSync(format,"),
    patch("deno_crypto/00_crypto.js", "Crypto.registerSymbols(webidl", "registerSymbols(webidl"),
    patch("deno_crypto/00_crypto.js", "subtleSingleton = SubtleCrypto.create();", "subtleSingleton = createSubtle();"),
    patch("deno_crypto/00_crypto.js", "Crypto.create(getSubtleSingleton());", "createCrypto(getSubtleSingleton());"),
];
