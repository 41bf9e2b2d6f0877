export const a = () => 'a-local';
export const d = 1;
