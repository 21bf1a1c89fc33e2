/** The name of the socket in the data folder on which a server takes commands. */
export const CONTROL_SOCKET = 'control.sock';

/** What all paths on it begin with. */
export const CONTROL_PREFIX = '/_troupe/control/v1';
