// Bun hands a `.wasm` import with { type: "file" } on as a path: beside the source, or inside the executable.

declare module "*.wasm" {
  const path: string;
  export default path;
}
