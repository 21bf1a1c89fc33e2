'use strict';

// What @vector-im/matrix-bot-sdk reads while it is loaded. Whoever asks for encryption finds that it is not there.
module.exports = { StoreType: { Sled: 0, Sqlite: 1 } };
