declare module "alpinejs" {
  const alpine: import("./alpine").Alpine;
  export default alpine;
}
