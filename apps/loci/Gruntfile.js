'use strict';

const sass = require('sass');

module.exports = function (grunt) {
  const out = 'dist/loci/';

  grunt.initConfig({
    sass: {
      options: { implementation: sass, sourceMap: false },
      site: { src: 'loci/assets/sass/site.scss', dest: out + 'site.css' },
    },
    cssmin: {
      site: { src: out + 'site.css', dest: out + 'site.css' },
    },
    concat: {
      site: { src: 'loci/assets/js/*.js', dest: out + 'site.js' },
    },
    uglify: {
      site: { src: out + 'site.js', dest: out + 'site.js' },
    },
    fonts: {
      site: {
        expand: true,
        flatten: true,
        cwd: 'node_modules/@fontsource-variable/',
        src: ['{inter,newsreader}/files/*-{latin,latin-ext}-wght-normal.woff2'],
        dest: out + 'fonts/',
      },
    },
  });

  ['grunt-sass', 'grunt-contrib-cssmin', 'grunt-contrib-concat', 'grunt-contrib-uglify']
    .forEach((name) => grunt.loadNpmTasks(name));

  grunt.registerMultiTask('fonts', 'Copy the typefaces, so that no page asks another host for them.', function () {
    this.files.forEach((file) => grunt.file.copy(file.src[0], file.dest));
    grunt.log.ok(this.files.length + ' files copied.');
    return this.files.length > 0;
  });

  grunt.registerTask('styles', ['sass', 'cssmin', 'fonts']);
  grunt.registerTask('scripts', ['concat', 'uglify']);
  grunt.registerTask('default', ['styles', 'scripts']);
};
